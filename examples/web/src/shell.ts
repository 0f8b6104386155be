import { signOut } from './calls/sign-in';
import { button, byId, h, ul } from './dom';
import { notify } from './notices';
import { navigate } from './router';
import { current } from './session';
import { sendNow } from './undo';

const nav = byId('nav');

/** Fills the navigation for the user. */
export function showNavigation(): void {
  const links = current() ? signedIn() : [link('/sign-in', 'Sign in'), link('/sign-up', 'Sign up', 'primary')];
  nav.replaceChildren(ul({}, links));
  markCurrent();
}

/** Marks the link of the current view, and closes the menu. */
export function markCurrent(): void {
  for (const item of nav.querySelectorAll('a')) item.ariaCurrent = item.pathname === location.pathname ? 'page' : null;
  menu()?.removeAttribute('open');
}

function signedIn(): HTMLElement[] {
  return [link('/', 'Posts'), link('/drafts', 'Drafts'), link('/new', 'New post', 'primary'), accountMenu()];
}

/** A disclosure of links, not a `menu` of commands: Tab moves through it. */
function accountMenu(): HTMLElement {
  const user = current()?.user;
  const name = user?.username ?? '';
  const links = [link(`/users/${user?.id}`, 'Profile'), link('/account', 'Account'), link('/sessions', 'Sessions'), link('/tokens', 'Access tokens')];
  if (user?.role === 'admin') {
    links.push(link('/moderation/users', 'Users'), link('/moderation/audit-log', 'Audit log'));
  }
  const summary = h(
    'summary',
    {},
    h('span', { class: 'initial', 'aria-hidden': 'true' }, name.charAt(0)),
    h('span', { class: 'visually-hidden' }, 'Account of '),
    h('span', { class: 'username' }, name),
  );
  return h('details', { class: 'menu' }, summary, ul({}, [...links, button('Sign out', 'quiet', leave)]));
}

function link(href: string, label: string, kind = 'plain-link'): HTMLElement {
  return h('a', { href, class: kind }, label);
}

export async function leave(): Promise<void> {
  // Says why the deletion failed, and leaves the rest to the user.
  if (!(await sendNow())) return;
  const ended = await signOut();
  await navigate('/sign-in');
  notify(ended ? 'Signed out.' : 'Signed out in this tab only. The service did not confirm it.');
}

/** The menu, if it is open. */
function menu(): HTMLElement | null {
  return nav.querySelector('details[open]');
}

document.addEventListener('click', ({ target }) => {
  if (!(target instanceof Node && menu()?.contains(target))) menu()?.removeAttribute('open');
});
nav.addEventListener('keydown', ({ key }) => {
  const open = menu();
  if (key !== 'Escape' || !open) return;
  open.removeAttribute('open');
  open.querySelector('summary')?.focus();
});
document.querySelector('.skip')?.addEventListener('click', (event) => {
  // Without an entry in the history.
  event.preventDefault();
  byId('main').focus();
});
