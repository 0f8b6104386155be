// Pictures and accessibility of the views of examples/web. Used by web.mjs and the other web-*.mjs.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { assertAccessible } from './axe.mjs';
import { keepPictures, sources } from './pictures.mjs';
import { DRAFT, POSTS, REPLY } from './web-content.mjs';
import { PASSWORD, api, open, request, sees, step, write } from './web-steps.mjs';
import { newUser, send } from './web-users.mjs';

const { SCREENSHOTS } = process.env;
assert.ok(SCREENSHOTS, 'SCREENSHOTS must be set');

/** Checks the accessibility of the view, and takes pictures of it in both widths and colour schemes. */
export async function checked(page, name) {
  await assertAccessible(page, name);
  const own = page.viewportSize();
  for (const width of [1200, 390]) {
    await page.setViewportSize({ width, height: 900 });
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.screenshot({ path: join(SCREENSHOTS, `web-${name}-${width}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.setViewportSize(own);
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
}

/**
 * Takes the pictures of README: three more posts are written while the page is open. Expects ada, and the posts of
 * ada and grace. The times of the posts are set, so that the pictures do not depend on the day.
 */
export async function pictures(page) {
  step('pictures');
  await write(page, REPLY);
  const readers = await vote(page);
  const now = Date.parse('2026-11-26T12:00:00Z');
  const ages = [1, 3, 8, 26, 50, 75].map((hours) => hours * 3_600_000);
  await page.route((url) => url.href.startsWith(`${api}/posts?`), async (route) => {
    const response = await route.fetch();
    const posts = (await response.json()).map((it, i) => ({ ...it, created_at: new Date(now - ages[i]).toISOString() }));
    await route.fulfill({ response, json: posts });
  });
  await page.clock.setFixedTime(now);
  await page.setViewportSize({ width: 1200, height: 900 });
  await open(page, '/');
  await sees(page.getByRole('article').first());
  // Those of a deleted account go with it.
  for (const title of ['One', 'Two', 'Three']) await send('POST', '/posts', { title, content: 'Not shown yet.' }, readers[0]);
  await sees(page.getByRole('button', { name: '3 new posts', exact: true }));
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.screenshot({ path: join(SCREENSHOTS, `web-${colorScheme}.png`) });
  }
  for (const token of readers) await send('DELETE', '/users/me', { current_password: PASSWORD }, token);
}

/** Lets new users vote for some of the posts. Returns their access tokens. */
async function vote(page) {
  const readers = [];
  const posts = await request(page, 'GET', '/posts?published=true');
  const wanted = [3, 9, 14, 6, 5, 12];
  await request(page, 'PUT', `/posts/${posts[1].id}/vote`);
  for (let i = 0; i < Math.max(...wanted); i++) {
    const token = await newUser(`reader-${i}`);
    readers.push(token);
    for (const [at, { id, votes }] of posts.entries()) {
      if (i < wanted[at] - votes) await send('PUT', `/posts/${id}/vote`, undefined, token);
    }
  }
  return readers;
}

/** Fails if the pictures of README show an older page. */
export function picturesAreFresh() {
  step('the pictures are as old as the page');
  keepPictures('web', sources('examples/web/src') + JSON.stringify([POSTS, DRAFT, REPLY]), SCREENSHOTS, ['web-light.png', 'web-dark.png']);
}
