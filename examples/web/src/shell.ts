import { signOut } from './calls/sign-in';
import { button, byId, h } from './dom';
import { notify } from './notices';
import { navigate } from './router';
import { current } from './session';
import { sendNow } from './undo';

const header = byId('header');

/** Fills the header for the user, and the footer. */
export function showShell(): void {
  const links = current() ? signedIn() : [link('/sign-in', 'Sign in'), link('/sign-up', 'Sign up', 'primary')];
  header.replaceChildren(
    h('a', { class: 'brand', href: '/', 'aria-label': 'Acclaim' }, h('img', { src: '/icon.svg', alt: '', width: 28, height: 28 }), h('span', {}, 'Acclaim')),
    h('nav', { 'aria-label': 'Main' }, h('ul', {}, ...links.map((item) => h('li', {}, item)))),
  );
  byId('footer').replaceChildren(
    h('p', {}, 'An example front end for ', h('a', { href: `${ACCLAIM_URL}/docs` }, 'the service at ', ACCLAIM_URL)),
  );
  markCurrent();
}

/** Marks the link of the current view, and closes the menu. */
export function markCurrent(): void {
  for (const item of header.querySelectorAll('a')) {
    item.ariaCurrent = item.pathname === location.pathname && !item.classList.contains('brand') ? 'page' : null;
  }
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
  const items = [...links, button('Sign out', 'quiet', leave)].map((item) => h('li', {}, item));
  return h('details', { class: 'menu' }, summary, h('ul', {}, ...items));
}

function link(href: string, label: string, kind = 'plain-link'): HTMLElement {
  return h('a', { href, class: kind }, label);
}

export async function leave(): Promise<void> {
  await sendNow();
  const ended = await signOut();
  await navigate('/sign-in');
  notify(ended ? 'Signed out.' : 'Signed out in this tab only. The service cannot be reached.');
}

function menu(): HTMLElement | null {
  return header.querySelector('details');
}

document.addEventListener('click', ({ target }) => {
  if (!(target instanceof Node && menu()?.contains(target))) menu()?.removeAttribute('open');
});
header.addEventListener('keydown', ({ key }) => {
  if (key !== 'Escape' || !menu()?.hasAttribute('open')) return;
  menu()?.removeAttribute('open');
  menu()?.querySelector('summary')?.focus();
});
document.querySelector('.skip')?.addEventListener('click', (event) => {
  // Without an entry in the history.
  event.preventDefault();
  byId('main').focus();
});
