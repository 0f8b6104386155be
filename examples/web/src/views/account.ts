import { signIn, signUp, type Credentials, type UserCreate } from '../client';
import { h } from '../dom';
import { form, type Field } from '../form';
import { current } from '../session';
import { notify } from '../notices';

export function signInView(): HTMLElement {
  const fields: Field<keyof Credentials & ('username' | 'password')>[] = [
    { name: 'username', label: 'Username or e-mail', autocomplete: 'username' },
    { name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password' },
  ];
  const element = form({
    fields,
    buttons: [{ name: 'sign-in', label: 'Sign in' }],
    submit: async ({ username, password }) => {
      await signIn(username, password);
      greet();
    },
  });
  return card('Sign in', 'To read, write and vote.', element, 'New here?', '#sign-up', 'Create an account');
}

export function signUpView(): HTMLElement {
  const fields: Field<keyof UserCreate & ('email' | 'username' | 'password')>[] = [
    { name: 'email', label: 'E-mail', type: 'email', autocomplete: 'email', hint: 'Visible only to you.' },
    {
      name: 'username',
      label: 'Username (optional)',
      autocomplete: 'username',
      hint: '3 to 30 letters, digits, hyphens and underscores. Leave it empty to get a generated one.',
    },
    { name: 'password', label: 'Password', type: 'password', autocomplete: 'new-password', hint: '8 characters or more.' },
  ];
  const element = form({
    fields,
    buttons: [{ name: 'sign-up', label: 'Sign up' }],
    submit: async ({ email, username, password }) => {
      await signUp({ email, password, ...(username && { username }) });
      await signIn(email, password);
      greet();
    },
  });
  return card('Sign up', 'You need an e-mail address and a password.', element, 'Have an account?', '#', 'Sign in');
}

function greet(): void {
  const session = current();
  if (session) notify(`Signed in as ${session.user.username}.`);
}

function card(title: string, lead: string, body: HTMLElement, question: string, href: string, link: string): HTMLElement {
  return h(
    'section',
    { class: 'card', 'aria-labelledby': 'title' },
    h('h1', { id: 'title', tabindex: -1 }, title),
    h('p', { class: 'lead' }, lead),
    body,
    h('p', { class: 'aside' }, question, ' ', h('a', { href }, link)),
  );
}
