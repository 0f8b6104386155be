// How examples/web refreshes and ends a session. Used by web.mjs.
import assert from 'node:assert/strict';
import { PASSWORD, api, click, kept, remove, sees, seesHeading, signIn, signOut, step, write } from './web-steps.mjs';

/** The status of a request with this access token. */
async function status(accessToken) {
  const answer = await fetch(`${api}/users/me`, { headers: { Authorization: `Bearer ${accessToken}` } });
  return answer.status;
}

export async function signOutForGood(page) {
  step('sign out, of the service too');
  const { accessToken, refreshToken } = await kept(page);
  assert.equal(await status(accessToken), 200);
  await signOut(page);
  assert.equal(await kept(page), null, 'the tab has forgotten the tokens');
  assert.equal(await status(accessToken), 401, 'the service refuses the access token');
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken });
  assert.equal((await fetch(`${api}/login`, { method: 'POST', body })).status, 401, 'and the refresh token');
}

export async function signOutAlone(page) {
  step('sign out while the service cannot be reached');
  await signIn(page, 'ada', PASSWORD);
  await seesHeading(page, 'Posts');
  await page.route(`${api}/logout`, (route) => route.abort());
  await signOut(page);
  await sees(page.getByRole('status').filter({ hasText: 'Signed out in this tab only. The service cannot be reached.' }));
  assert.equal(await kept(page), null, 'the tab has forgotten the tokens');
}

export async function refresh(page) {
  step('an access token that is no good, and nobody notices');
  const before = await kept(page, { accessToken: 'rubbish' });
  let exchanges = 0;
  page.on('request', (request) => (exchanges += Number(request.url() === `${api}/login`)));
  // Holds two requests back until both have arrived, so that both are rejected at the same time.
  let release;
  const both = new Promise((resolve) => (release = resolve));
  let held = 0;
  const posts = (url) => url.href.startsWith(`${api}/posts?`);
  await page.route(posts, async (route) => {
    if (++held === 2) release();
    await both;
    await route.continue();
  });
  await page.reload();
  await page.getByRole('radio', { name: 'Oldest' }).check();
  await sees(page.getByRole('article').first());
  await page.unroute(posts);
  assert.equal(await page.getByRole('alert').filter({ hasText: /./ }).count(), 0, 'nothing is said');
  const after = await kept(page);
  assert.ok(!['rubbish', before.accessToken].includes(after.accessToken), 'the access token is another');
  assert.notEqual(after.refreshToken, before.refreshToken, 'so is the refresh token');
  assert.equal(await status(after.accessToken), 200);
  assert.equal(exchanges, 1, 'one exchange does for both requests');

  step('a post that is sent with such a token arrives, once');
  await click(page, 'link', 'New post');
  await kept(page, { accessToken: 'rubbish' });
  await page.reload();
  await write(page, 'Sent twice', 'Written once.');
  assert.equal(exchanges, 2);
  await remove(page, 'Sent twice');
}
