// Users of the service, made without the page. Used by the other web-*.mjs.
import { PASSWORD, api, open, seesNotice, signIn } from './web-steps.mjs';

/** Sends a request, with a token if there is one. */
export function send(method, path, body, token) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  return fetch(api + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
}

/** Creates a user. Returns an access token of a session of its own. */
export async function newUser(name) {
  await send('POST', '/users', { email: `${name}@example.com`, username: name, password: PASSWORD });
  const answer = await send('POST', '/login', { username: name, password: PASSWORD });
  return (await answer.json()).access_token;
}

/** Signs a user in on a page where nobody is signed in. */
export async function enter(page, name) {
  await open(page, '/sign-in');
  await signIn(page, name, PASSWORD);
  await seesNotice(page, `Signed in as ${name}.`);
}
