import { changeAccount, deleteAccount, downloadExport, type User } from '../../calls/account';
import { getMe } from '../../calls/sign-in';
import { h, link, ul } from '../../dom';
import { form, type Field } from '../../form';
import { notify } from '../../notices';
import { actionButton } from '../../parts/action';
import { lead, page, panel } from '../../parts/page';
import { navigate, reload, type Visit } from '../../router';
import { take } from '../../undo';
import { PASSWORD_HINT, USERNAME_HINT } from '../sign-in';
import { accountTabs } from './tabs';

/** The signed-in user's account. */
export async function accountView({ signal }: Visit): Promise<HTMLElement> {
  const user = await getMe(signal);
  return page(
    'Account',
    accountTabs(),
    lead('Others see your username, your posts and the day you joined, on ', link(`/users/${user.id}`, 'your profile'), '.'),
    username(user),
    email(user),
    password(),
    usage(user),
    exported(),
    deletion(),
  );
}

const current: Field<'current_password'> = { name: 'current_password', label: 'Current password', type: 'password', autocomplete: 'current-password' };

function username(user: User): HTMLElement {
  const hint = `${USERNAME_HINT} Your old name is free for others at once.`;
  const element = form({
    fields: [{ name: 'username', label: 'New username', autocomplete: 'username', hint, value: user.username }],
    buttons: ['Change username'],
    submit: async ({ username }) => {
      const changed = await changeAccount({ username });
      notify(`Your username is ${changed.username}.`);
    },
  });
  return panel('Username', element);
}

function email(user: User): HTMLElement {
  const now = h('strong', {}, user.email ?? '');
  const element = form({
    fields: [{ name: 'email', label: 'New e-mail address', type: 'email', autocomplete: 'email' }, current],
    buttons: ['Change e-mail address'],
    submit: async ({ email, current_password }) => {
      const changed = await changeAccount({ email, current_password: current_password || undefined });
      now.textContent = changed.email ?? '';
      element.reset();
      notify(`Your e-mail address is ${changed.email}.`);
    },
  });
  return panel('E-mail address', h('p', {}, 'It is ', now, '. Only you can see it, and you can sign in with it.'), element);
}

function password(): HTMLElement {
  const element = form({
    fields: [{ name: 'password', label: 'New password', type: 'password', autocomplete: 'new-password', hint: PASSWORD_HINT }, current],
    buttons: ['Change password'],
    submit: async ({ password, current_password }) => {
      await changeAccount({ password, current_password: current_password || undefined });
      element.reset();
      notify('Your password is changed. You stay signed in here; all other sessions have ended and all tokens are revoked.');
    },
  });
  const effect = 'A new password signs you out everywhere except here, and revokes all your personal access tokens.';
  return panel('Password', h('p', {}, effect), element);
}

function usage({ usage, quota }: User): HTMLElement {
  const rows = [
    meter('Posts and drafts', usage?.posts ?? 0, quota?.posts, number),
    meter('Titles and texts', usage?.bytes ?? 0, quota?.bytes, bytes),
  ];
  return panel('Usage', h('dl', { class: 'usage' }, ...rows));
}

function meter(name: string, used: number, max: number | null | undefined, write: (value: number) => string): HTMLElement {
  const amount = max ? `${write(used)} of ${write(max)}` : `${write(used)}, without a limit`;
  const value = h('dd', {}, amount);
  if (max) value.append(h('meter', { 'aria-label': name, max, value: used, high: max * 0.9 }));
  return h('div', {}, h('dt', {}, name), value);
}

function number(value: number, options: Intl.NumberFormatOptions = {}): string {
  return new Intl.NumberFormat(document.documentElement.lang, options).format(value);
}

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** `1.1 gigabytes` for 1,073,741,824. */
function bytes(value: number): string {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  const unit = { style: 'unit', unit: UNITS[step], unitDisplay: 'long', maximumFractionDigits: 1 } as const;
  return number(value / 1000 ** step, unit);
}

function exported(): HTMLElement {
  const download = actionButton('Download', 'plain', 'your data', async () => {
    notify('The service prepares the export.');
    await downloadExport();
    notify('The export is complete.');
  });
  const contents = 'One JSON file with your account, posts, drafts, votes, sessions, tokens (without their secrets) and the actions of moderators.';
  return panel('Your data', h('p', {}, contents), download);
}

function deletion(): HTMLElement {
  const element = form({
    fields: [current],
    buttons: ['Delete my account'],
    kind: 'danger',
    submit: async ({ current_password }) => {
      await deleteAccount(current_password);
      take();
      // A view that was opened meanwhile was loaded for the account.
      await (element.isConnected ? navigate('/') : reload());
      notify('Your account is deleted.');
    },
  });
  const effects = [
    'At once: your account and your posts disappear, all your sessions end and all your tokens stop working.',
    'Soon after, step by step: the service removes your posts and votes, and the counts of your votes go down. Then your username and e-mail address are free again.',
    'What stays: actions of moderators in the audit log, with your name or the title of a post; and backups of the service, until its operator deletes them.',
  ];
  return panel(
    'Delete account',
    h('p', {}, 'Nobody can undo this. If you want to keep your posts, download your data first.'),
    ul({}, effects),
    element,
  );
}
