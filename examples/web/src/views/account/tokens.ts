import { createToken, listTokens, revokeToken, type Scope, type Token } from '../../calls/account';
import { h } from '../../dom';
import { Failure } from '../../failure';
import { form } from '../../form';
import { notify } from '../../notices';
import { actionButton } from '../../parts/action';
import { confirmed } from '../../parts/confirm';
import { lead, page, panel } from '../../parts/page';
import { list, removeRow, row } from '../../parts/rows';
import { exactTimeElement, timeElement } from '../../parts/time';
import type { Visit } from '../../router';
import { SCOPES, curlExample } from './scopes';
import { accountTabs } from './tabs';

const DAY = 86_400;
const DEFAULT_LIFETIME = `${30 * DAY}`;
/** Seconds and their names. The service accepts up to 365 days. */
const LIFETIMES: [string, string][] = [
  [`${7 * DAY}`, 'In 7 days'],
  [DEFAULT_LIFETIME, 'In 30 days'],
  [`${90 * DAY}`, 'In 90 days'],
  [`${365 * DAY}`, 'In a year'],
  ['', 'Never, until you revoke it'],
];

/** The user's personal access tokens, and a form for a new one. */
export async function tokensView({ signal }: Visit): Promise<HTMLElement> {
  let tokens = await listTokens(signal);
  const own = panel('Your tokens');
  const created = h('div', {});

  function draw(): void {
    own.querySelector('.rows, .empty')?.remove();
    own.append(list(tokens.map((token) => tokenRow(token, () => forget(token))), 'You have no tokens.'));
  }

  function forget(token: Token): void {
    tokens = tokens.filter((other) => other !== token);
    if (created.dataset.id === String(token.id)) created.replaceChildren();
    if (tokens.length === 0) draw();
  }

  const element = form({
    fields: [
      { name: 'name', label: 'Name', hint: 'By which you recognise it, such as “Weather station”.' },
      { name: 'scopes', label: 'Scopes', type: 'checks', hint: 'What the token may do. Give it no more than it needs.', options: meanings() },
      { name: 'expires_in', label: 'Expires', type: 'select', options: LIFETIMES, value: DEFAULT_LIFETIME },
    ],
    buttons: ['Create token'],
    submit: async ({ name, scopes, expires_in }) => {
      const token = await createToken({ name, scopes: scopes.split(' ').filter(isScope), expires_in: Number(expires_in) || undefined });
      tokens = [token, ...tokens];
      draw();
      created.dataset.id = String(token.id);
      created.replaceChildren(secret(token));
      element.reset();
      created.querySelector('h2')?.focus();
    },
  });
  draw();
  return page(
    'Access tokens',
    accountTabs(),
    lead('For scripts, bots and devices, in place of your password. Each has its own rights, and you can revoke it alone.'),
    created,
    panel('New token', element),
    own,
  );
}

function meanings(): [string, Node, string][] {
  return Object.entries(SCOPES).map(([scope, { meaning }]) => [scope, h('code', {}, scope), ` ${meaning}`]);
}

function isScope(text: string): text is Scope {
  return text in SCOPES;
}

/** The new token, which the service does not show again. */
function secret({ name, scopes, token = '' }: Token): HTMLElement {
  const command = curlExample(token, scopes);
  const field = h('input', { id: 'new-token', value: token, readonly: true, class: 'secret', autocomplete: 'off', spellcheck: false });
  field.addEventListener('focus', () => field.select());
  const copy = (label: string, text: string) =>
    actionButton(`Copy ${label}`, 'plain', undefined, async () => {
      try {
        // Without HTTPS, browsers have no clipboard, except on localhost.
        await navigator.clipboard.writeText(text);
      } catch {
        throw new Failure('The browser does not let this page copy. Select the text and copy it.');
      }
      notify(`Copied the ${label}.`);
    });
  return panel(
    `Your new token “${name}”`,
    h('p', {}, h('strong', {}, 'Copy it now.'), ' The service stores only its hash, so nobody can show it to you again.'),
    h('div', { class: 'field' }, h('label', { for: 'new-token' }, 'Token'), field),
    h('div', { class: 'actions' }, copy('token', token)),
    h('p', {}, 'Try it in a shell:'),
    h('pre', {}, h('code', {}, command)),
    ...(command.includes('/ID') ? [h('p', { class: 'hint' }, 'Replace ID with the number of a post, from its URL.')] : []),
    h('div', { class: 'actions' }, copy('example', command)),
  );
}

function tokenRow(token: Token, revoked: () => void): HTMLElement {
  const { name, scopes, expires_at, last_used_at } = token;
  const expired = expires_at && Date.parse(expires_at) < Date.now();
  const item = row(
    [name],
    [
      ['Scopes', scopes.join(', ')],
      ['Created', timeElement(token.created_at)],
      [expired ? 'Expired' : 'Expires', expires_at ? exactTimeElement(expires_at) : 'never'],
      ['Last used', last_used_at ? timeElement(last_used_at) : 'never'],
    ],
    actionButton('Revoke', 'plain', name, async () => {
      const consequence = 'It stops working at once. A program that uses it needs a new one.';
      if (!(await confirmed(`Revoke “${name}”?`, consequence, 'Revoke'))) return;
      await revokeToken(token.id);
      removeRow(item);
      revoked();
      notify(`Revoked “${name}”.`);
    }),
  );
  return item;
}
