import { signOut } from './client';
import { byId, button, h } from './dom';
import { clear, notify, showFailure } from './notices';
import { current, onChange } from './session';
import { signInView, signUpView } from './views/account';
import { composeView } from './views/compose';
import { feedView } from './views/feed';

const main = byId('main');

/** The view for the URL's fragment. A signed-out user gets only sign-in and sign-up. */
function view(): HTMLElement {
  const route = location.hash.slice(1);
  if (!current()) return route === 'sign-up' ? signUpView() : signInView();
  return route === 'new' ? composeView(() => go('')) : feedView();
}

function show(moveFocus = true): void {
  clear();
  main.replaceChildren(view());
  byId('account').replaceChildren(...account());
  const heading = main.querySelector('h1');
  document.title = `${heading?.textContent} · Acclaim`;
  if (!moveFocus) return;
  // Moves the focus to the top of the new view, so that screen readers announce its name.
  heading?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function go(route: string): void {
  if (location.hash.slice(1) !== route) history.pushState(null, '', route ? `#${route}` : location.pathname);
  show();
}

function account(): HTMLElement[] {
  const session = current();
  if (!session) return [];
  return [
    h('span', { class: 'username' }, h('span', { class: 'visually-hidden' }, 'Signed in as '), session.user.username),
    button('Sign out', 'quiet', async () => {
      const ended = await signOut();
      notify(ended ? 'Signed out.' : 'Signed out in this tab only. The service cannot be reached.');
    }),
    h('a', { href: '#new', class: 'primary' }, 'New post'),
  ];
}

window.addEventListener('hashchange', () => show());
onChange((failure) => {
  go('');
  if (failure) showFailure(failure);
});
document.querySelector('.skip')?.addEventListener('click', (event) => {
  // The fragment names the view, so the link itself cannot move the focus.
  event.preventDefault();
  main.focus();
});
byId('footer').append(
  h('p', {}, 'An example front end for ', h('a', { href: `${ACCLAIM_URL}/docs` }, 'the service at ', ACCLAIM_URL)),
);
show(false);
