// Steps of a user on examples/web. Used by web.mjs and web-sessions.mjs.
import assert from 'node:assert/strict';

const { API_URL } = process.env;
assert.ok(API_URL, 'API_URL must be set');
export const api = API_URL.replace(/\/$/, '');
export const PASSWORD = 'correct horse';

export const step = (name) => console.log(`web: ${name}`);

export const sees = (locator) => locator.waitFor({ state: 'visible' });
export const seesHeading = (page, name) => sees(page.getByRole('heading', { name }));
export const seesAlert = (page, hasText) => sees(page.getByRole('alert').filter({ hasText }));
export const click = (page, role, name) => page.getByRole(role, { name }).click();
export const post = (page, title) => page.getByRole('article', { name: title, exact: true });
export const voteButton = (page, title, votes, pressed) => page.getByRole('button', { name: `Vote for “${title}”, ${votes}`, exact: true, pressed });
export const focused = (locator) => locator.evaluate((el) => el === document.activeElement);
export const described = (field) => field.evaluate((el) => el.ariaDescribedByElements.map((by) => by.textContent).join(' '));

async function send(page, values, button) {
  for (const [label, value] of Object.entries(values)) await page.getByLabel(label).fill(value);
  await click(page, 'button', button);
}

export const signIn = (page, name, password) => send(page, { 'Username or e-mail': name, Password: password }, 'Sign in');

export async function signUp(page, values) {
  await click(page, 'link', 'Create an account');
  // Waits for the new view, because the previous one has fields with the same names.
  await seesHeading(page, 'Sign up');
  await send(page, values, 'Sign up');
}

export async function join(page, name) {
  await signUp(page, { 'E-mail': `${name}@example.com`, Username: name, Password: PASSWORD });
  await sees(page.getByRole('status').filter({ hasText: `Signed in as ${name}.` }));
}

export async function signOut(page) {
  await click(page, 'button', 'Sign out');
  await seesHeading(page, 'Sign in');
}

export async function write(page, title, text, button = 'Publish') {
  await click(page, 'link', 'New post');
  await send(page, { Title: title, Text: text }, button);
  await sees(post(page, title));
}

export async function remove(page, title) {
  await click(post(page, title), 'button', 'Delete');
  await click(page.getByRole('dialog'), 'button', 'Delete');
  await post(page, title).waitFor({ state: 'detached' });
}

/** Applies `changes` to the session stored in the tab, and returns the previous one. */
export function storedSession(page, changes = {}) {
  return page.evaluate((values) => {
    const session = JSON.parse(sessionStorage.getItem('acclaim.session'));
    if (session) sessionStorage.setItem('acclaim.session', JSON.stringify({ ...session, ...values }));
    return session;
  }, changes);
}
