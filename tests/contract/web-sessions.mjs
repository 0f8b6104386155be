// Steps that refresh and end sessions on examples/web. Used by web.mjs.
import assert from 'node:assert/strict';
import { PASSWORD, api, click, remove, sees, seesHeading, signIn, signOut, step, storedSession, write } from './web-steps.mjs';

/** The status of a request with this access token. */
async function status(accessToken) {
  const answer = await fetch(`${api}/users/me`, { headers: { Authorization: `Bearer ${accessToken}` } });
  return answer.status;
}

export async function signOutRevokesTokens(page) {
  step('sign-out ends the session of the service');
  const { accessToken, refreshToken } = await storedSession(page);
  assert.equal(await status(accessToken), 200);
  await signOut(page);
  assert.equal(await storedSession(page), null, 'the tab has deleted the tokens');
  assert.equal(await status(accessToken), 401, 'the service rejects the access token');
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken });
  assert.equal((await fetch(`${api}/login`, { method: 'POST', body })).status, 400, 'and the refresh token');
}

export async function signOutOffline(page) {
  step('sign out while the service cannot be reached');
  await signIn(page, 'ada', PASSWORD);
  await seesHeading(page, 'Posts');
  await page.route(`${api}/logout`, (route) => route.abort());
  await signOut(page);
  await sees(page.getByRole('status').filter({ hasText: 'Signed out in this tab only. The service cannot be reached.' }));
  assert.equal(await storedSession(page), null, 'the tab has deleted the tokens');
}

export async function refresh(page) {
  step('an invalid access token is refreshed without a message');
  const before = await storedSession(page, { accessToken: 'invalid' });
  let exchanges = 0;
  page.on('request', (request) => (exchanges += Number(request.url() === `${api}/login`)));
  // Delays two requests until both have arrived, so that both are rejected at the same time.
  let release;
  const both = new Promise((resolve) => (release = resolve));
  let delayed = 0;
  const posts = (url) => url.href.startsWith(`${api}/posts?`);
  await page.route(posts, async (route) => {
    if (++delayed === 2) release();
    await both;
    await route.continue();
  });
  await page.reload();
  await page.getByRole('radio', { name: 'Oldest' }).check();
  await sees(page.getByRole('article').first());
  await page.unroute(posts);
  assert.equal(await page.getByRole('alert').filter({ hasText: /./ }).count(), 0, 'no alert is shown');
  const after = await storedSession(page);
  assert.ok(!['invalid', before.accessToken].includes(after.accessToken), 'the access token is new');
  assert.notEqual(after.refreshToken, before.refreshToken, 'the refresh token is new');
  assert.equal(await status(after.accessToken), 200);
  assert.equal(exchanges, 1, 'both requests share one refresh');

  step('a post sent with an invalid access token is created once');
  await click(page, 'link', 'New post');
  await storedSession(page, { accessToken: 'invalid' });
  await page.reload();
  await write(page, 'Sent twice', 'Written once.');
  assert.equal(exchanges, 2);
  await remove(page, 'Sent twice');
}
