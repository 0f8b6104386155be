// Steps that refresh and end sessions on examples/web. Used by web.mjs.
import assert from 'node:assert/strict';
import { PASSWORD, api, click, open, request, seesHeading, seesNotice, sees, send, signIn, signOut, status, step, storedSession } from './web-steps.mjs';

/** Expects ada. Ends with her signed out. */
export async function signOutRevokesTokens(page) {
  step('sign-out ends the session of the service');
  const { accessToken, refreshToken } = await storedSession(page);
  assert.equal(await status(page, '/users/me'), 200);
  await signOut(page);
  assert.equal(await storedSession(page), null, 'the tab has deleted the tokens');
  assert.equal(await status(page, '/users/me', accessToken), 401, 'the service rejects the access token');
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken });
  const answer = await fetch(`${api}/login`, { method: 'POST', body });
  assert.equal(answer.status, 400, 'and the refresh token');
}

export async function signOutOffline(page) {
  step('sign out while the service cannot be reached');
  await signIn(page, 'ada', PASSWORD);
  await seesHeading(page, 'Posts');
  await page.route(`${api}/logout`, (route) => route.abort());
  await signOut(page);
  await seesNotice(page, 'Signed out in this tab only. The service did not confirm it.');
  assert.equal(await storedSession(page), null, 'the tab has deleted the tokens');
}

/** Expects ada, who has posts. */
export async function refresh(page) {
  step('an invalid access token is refreshed without a message');
  const before = await storedSession(page, { accessToken: 'invalid' });
  let exchanges = 0;
  page.on('request', (it) => (exchanges += Number(it.url() === `${api}/login`)));
  // Holds the requests for the position and for the user until both have arrived, so that both are rejected.
  let release;
  const both = new Promise((resolve) => (release = resolve));
  let held = 0;
  const reads = (url) => url.href.startsWith(`${api}/events?`) || url.href === `${api}/users/me`;
  await page.route(reads, async (route) => {
    if (++held === 2) release();
    await both;
    await route.continue();
  });
  await open(page, '/');
  await sees(page.getByRole('article').first());
  await page.unroute(reads);
  assert.equal(await page.getByRole('alert').filter({ hasText: /./ }).count(), 0, 'no alert is shown');
  const after = await storedSession(page);
  assert.ok(!['invalid', before.accessToken].includes(after.accessToken), 'the access token is new');
  assert.notEqual(after.refreshToken, before.refreshToken, 'the refresh token is new');
  assert.equal(await status(page, '/users/me'), 200);
  assert.equal(exchanges, 1, 'both requests share one refresh');

  step('a post sent with an invalid access token is created once');
  await click(page, 'link', 'New post');
  await seesHeading(page, 'New post');
  const { user } = await storedSession(page, { accessToken: 'invalid' });
  // The page asks for the user when it starts, and must not refresh the token for that.
  const me = `${api}/users/me`;
  await page.route(me, (route) => route.fulfill({ json: user, headers: { 'Access-Control-Allow-Origin': '*' } }));
  await page.reload();
  const answers = [];
  page.on('response', (it) => it.url() === `${api}/posts` && it.request().method() === 'POST' && answers.push(it.status()));
  await send(page, { Title: 'Sent twice', Text: 'Written once.' }, 'Publish');
  await seesHeading(page, 'Sent twice');
  const sent = await request(page, 'GET', '/posts?search=sent%20twice');
  assert.equal(sent.length, 1);
  assert.deepEqual(answers, [401, 201]);
  await page.unroute(me);
  assert.equal(exchanges, 2);
  await request(page, 'DELETE', `/posts/${sent[0].id}`);
}

/** Expects ada. */
export async function endedSession(page) {
  step('a session that has ended leads to the sign-in, and back');
  await open(page, '/new');
  await seesHeading(page, 'New post');
  await page.getByLabel('Title').fill('Half a thought');
  await storedSession(page, { accessToken: 'stale', refreshToken: 'stale' });
  await page.reload();
  await seesHeading(page, 'Sign in');
  await sees(page.getByRole('alert').filter({ hasText: 'The access token is not valid.' }));
  await signIn(page, 'ada', PASSWORD);
  await seesHeading(page, 'New post');
  assert.equal(await page.getByLabel('Title').inputValue(), 'Half a thought');
  await click(page, 'button', 'Discard');
}
