import { tabs } from '../../parts/page';

export function moderationTabs(): HTMLElement {
  return tabs('Moderation', [
    ['/moderation/users', 'Users'],
    ['/moderation/audit-log', 'Audit log'],
  ]);
}
