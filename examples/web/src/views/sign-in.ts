import { signIn, signUp, type UserCreate } from '../calls/sign-in';
import { h } from '../dom';
import { form, type Field } from '../form';
import { notify } from '../notices';
import { pathWith } from '../paths';
import { navigate, nextPath, type Visit } from '../router';
import { current } from '../session';

/** The rule for new passwords, said before it is broken. */
export const PASSWORD_HINT = '8 to 128 characters. Not a common password, your username or your e-mail address.';

export function signInView({ query }: Visit): HTMLElement {
  const fields: Field<'username' | 'password'>[] = [
    { name: 'username', label: 'Username or e-mail', autocomplete: 'username' },
    { name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password' },
  ];
  const element = form({
    fields,
    buttons: ['Sign in'],
    submit: async ({ username, password }) => {
      await signIn(username, password);
      await enter(query);
    },
  });
  return card('Sign in', 'Read, write and vote.', element, 'New here?', pathTo('/sign-up', query), 'Create an account');
}

export function signUpView({ query }: Visit): HTMLElement {
  const fields: Field<keyof UserCreate & ('email' | 'username' | 'password')>[] = [
    { name: 'email', label: 'E-mail', type: 'email', autocomplete: 'email', hint: 'Nobody else sees it.' },
    {
      name: 'username',
      label: 'Username',
      optional: true,
      autocomplete: 'username',
      hint: '3 to 30 letters a to z, digits, hyphens and underscores. Without one, you get a generated one.',
    },
    {
      name: 'password',
      label: 'Password',
      type: 'password',
      autocomplete: 'new-password',
      hint: PASSWORD_HINT,
    },
  ];
  const element = form({
    fields,
    buttons: ['Sign up'],
    submit: async ({ email, username, password }) => {
      await signUp({ email, password, username: username || undefined });
      await signIn(email, password);
      await enter(query);
    },
  });
  return card('Sign up', 'An e-mail address and a password are enough.', element, 'Have an account?', pathTo('/sign-in', query), 'Sign in');
}

/** Opens the view that asked for the sign-in. */
async function enter(query: URLSearchParams): Promise<void> {
  await navigate(nextPath(query), { replace: true });
  const session = current();
  if (session) notify(`Signed in as ${session.user.username}.`);
}

function pathTo(path: string, query: URLSearchParams): string {
  return pathWith(path, { next: query.get('next') ?? '' });
}

function card(title: string, lead: string, body: HTMLElement, question: string, href: string, link: string): HTMLElement {
  return h(
    'section',
    { class: 'card' },
    h('h1', {}, title),
    h('p', { class: 'lead' }, lead),
    body,
    h('p', { class: 'aside' }, question, ' ', h('a', { href }, link)),
  );
}
