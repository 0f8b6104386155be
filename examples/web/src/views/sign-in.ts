import { signIn, signUp } from '../calls/sign-in';
import { h, link } from '../dom';
import { asFailure } from '../failure';
import { form } from '../form';
import { notify, showFailure } from '../notices';
import { lead } from '../parts/page';
import { pathWith } from '../paths';
import { navigate, reload, type Visit } from '../router';
import { current } from '../session';

/** The rules for new usernames and passwords, said before they are broken. */
export const USERNAME_HINT = '3 to 30 letters a to z, digits, hyphens and underscores.';
export const PASSWORD_HINT = '8 to 128 characters. Not a common password, your username or your e-mail address.';

export function signInView({ query }: Visit): HTMLElement {
  const element = form({
    fields: [
      { name: 'username', label: 'Username or e-mail', autocomplete: 'username' },
      { name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password' },
    ],
    buttons: ['Sign in'],
    submit: async ({ username, password }) => {
      await signIn(username, password);
      await enter();
    },
  });
  return card('Sign in', 'Read, write and vote.', element, 'New here?', pathTo('/sign-up', query), 'Create an account');
}

export function signUpView({ query }: Visit): HTMLElement {
  const element = form({
    fields: [
      { name: 'email', label: 'E-mail', type: 'email', autocomplete: 'email', hint: 'Nobody else sees it.' },
      { name: 'username', label: 'Username', optional: true, autocomplete: 'username', hint: `${USERNAME_HINT} Without one, you get a generated one.` },
      { name: 'password', label: 'Password', type: 'password', autocomplete: 'new-password', hint: PASSWORD_HINT },
    ],
    buttons: ['Sign up'],
    submit: async ({ email, username, password }) => {
      await signUp({ email, password, username: username || undefined });
      try {
        await signIn(email, password);
      } catch (error) {
        // The account exists, so this form cannot be sent again.
        const failure = asFailure(error);
        if (element.isConnected) await navigate(pathTo('/sign-in', query));
        failure.message = `Your account is created. ${failure.message}`;
        return showFailure(failure);
      }
      await enter();
    },
  });
  return card('Sign up', 'An e-mail address and a password are enough.', element, 'Have an account?', pathTo('/sign-in', query), 'Sign in');
}

/** Loads the view again for the new session: from the sign-in, that leads to the view that asked for it. */
async function enter(): Promise<void> {
  await reload();
  const session = current();
  if (session) notify(`Signed in as ${session.user.username}.`);
}

function pathTo(path: string, query: URLSearchParams): string {
  return pathWith(path, { next: query.get('next') ?? '' });
}

function card(title: string, purpose: string, body: HTMLElement, question: string, href: string, label: string): HTMLElement {
  const other = h('p', { class: 'aside' }, question, ' ', link(href, label));
  return h('section', { class: 'card' }, h('h1', {}, title), lead(purpose), body, other);
}
