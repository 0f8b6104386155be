import { tabs } from '../../parts/page';

export function accountTabs(): HTMLElement {
  return tabs('Account', [
    ['/account', 'Account'],
    ['/sessions', 'Sessions'],
    ['/tokens', 'Tokens'],
  ]);
}
