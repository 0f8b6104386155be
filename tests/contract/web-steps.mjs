// Steps of a user on examples/web. Used by web.mjs and the other web-*.mjs.
import assert from 'node:assert/strict';

const { API_URL } = process.env;
assert.ok(API_URL, 'API_URL must be set');
export const api = API_URL.replace(/\/$/, '');
export const PASSWORD = 'correct horse';

export const step = (name) => console.log(`web: ${name}`);

export const sees = (locator) => locator.waitFor({ state: 'visible' });
export const gone = (locator) => locator.waitFor({ state: 'detached' });
export const seesHeading = (page, name) => sees(page.getByRole('heading', { level: 1, name, exact: true }));
export const seesAlert = (page, hasText) => sees(page.getByRole('alert').filter({ hasText }));
export const seesNotice = (page, hasText) => sees(page.getByRole('status').filter({ hasText }));
export const click = (page, role, name) => page.getByRole(role, { name, exact: true }).click();
export const post = (page, title) => page.getByRole('article', { name: title, exact: true });
export const voteButton = (page, title, votes, pressed) => page.getByRole('button', { name: `Vote for “${title}”, ${votes}`, exact: true, pressed });
export const focused = (locator) => locator.evaluate((el) => el === document.activeElement);
export const described = (field) => field.evaluate((el) => el.ariaDescribedByElements.map((by) => by.textContent).join(' '));
/** The path and the query of the view. */
export const pathOf = (page) => page.evaluate(() => location.pathname + location.search);
/** Opens a path of the page, as a URL that someone types. */
export const open = (page, path) => page.goto(new URL(path, page.url()).href);

/** Opens the header's menu. A view that is still opening would close it. */
export async function openMenu(page) {
  await page.locator('main:not([aria-busy])').waitFor();
  await page.getByRole('banner').locator('summary').click();
}

/** Opens the link of the header's menu. */
export async function view(page, link, heading = link) {
  await openMenu(page);
  await click(page.getByRole('banner'), 'link', link);
  await seesHeading(page, heading);
}

export async function send(page, values, button) {
  for (const [label, value] of Object.entries(values)) await page.getByLabel(label).fill(value);
  await click(page.getByRole('main'), 'button', button);
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
  await seesNotice(page, `Signed in as ${name}.`);
}

export async function signOut(page) {
  await openMenu(page);
  await click(page, 'button', 'Sign out');
  await seesHeading(page, 'Sign in');
}

/** Writes a post, and ends on its page. */
export async function write(page, { title, content, tags = [] }, button = 'Publish') {
  await click(page, 'link', 'New post');
  await seesHeading(page, 'New post');
  await send(page, { Title: title, Text: content, Tags: tags.join(' ') }, button);
  await seesHeading(page, title);
}

/** Applies `changes` to the session stored in the tab, and returns the previous one. */
export function storedSession(page, changes = {}) {
  return page.evaluate((values) => {
    const session = JSON.parse(sessionStorage.getItem('acclaim.session'));
    if (session) sessionStorage.setItem('acclaim.session', JSON.stringify({ ...session, ...values }));
    return session;
  }, changes);
}

/** The status of a request with this access token, or that of the tab. */
export async function status(page, path, accessToken) {
  const token = accessToken ?? (await storedSession(page)).accessToken;
  return (await fetch(`${api}${path}`, { headers: { Authorization: `Bearer ${token}` } })).status;
}

/** Sends a request with the tab's access token, without the page. Returns the body of the response. */
export async function request(page, method, path, body) {
  const { accessToken } = await storedSession(page);
  const headers = { Authorization: `Bearer ${accessToken}`, 'Content-Type': 'application/json' };
  const answer = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text && JSON.parse(text);
}

/** Holds the page's requests for `path`. Returns functions that wait for one, let all go on, and make all fail. */
export async function hold(page, method, path) {
  let arrived;
  const arrival = new Promise((resolve) => (arrived = resolve));
  let decide;
  const decision = new Promise((resolve) => (decide = resolve));
  let ended = false;
  // Stays to the end: to remove a route while it handles a request is an error.
  await page.route((url) => url.href.startsWith(api + path), async (route) => {
    if (ended || route.request().method() !== method) return route.fallback();
    arrived();
    const answer = await decision;
    return answer ? route.fulfill(answer) : route.fallback();
  });
  const end = async (answer) => {
    await arrival;
    ended = true;
    decide(answer);
  };
  return { arrived: () => arrival, release: () => end(), fail: () => end(UNAVAILABLE) };
}

/** The service's response while its database cannot be reached. */
const UNAVAILABLE = {
  status: 503,
  contentType: 'application/problem+json',
  headers: { 'Access-Control-Allow-Origin': '*' },
  body: JSON.stringify({ type: '/problems/service-unavailable', title: 'Service unavailable', status: 503, detail: 'the database cannot be reached', instance: 'test' }),
};
