// Reading examples/web by keyboard, without JavaScript, without an account, and when something is missing.
// Used by web.mjs.
import assert from 'node:assert/strict';
import { POSTS } from './web-content.mjs';
import { checked } from './web-pictures.mjs';
import { api, click, focused, hold, open, pathOf, post, request, sees, seesHeading, step, voteButton } from './web-steps.mjs';

/** Expects a user who has not voted, and the posts of ada, the second of which has no votes. */
export async function keyboardOnly(page) {
  step('keyboard only');
  const { title } = POSTS.ada[1];
  const vote = voteButton(page, title, '0 votes', false);
  await open(page, '/');
  await sees(vote);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
  await page.keyboard.press('Enter');
  assert.equal(await pathOf(page), '/');
  await tabTo(page, vote);
  await page.keyboard.press('Space');
  await sees(voteButton(page, title, '1 vote', true));
  await page.keyboard.press('Space');
  await sees(vote);
  assert.ok(await focused(vote), 'the focus stays on the button');

  step('the menu by keyboard');
  const menu = page.getByRole('banner').locator('summary');
  await menu.focus();
  await page.keyboard.press('Enter');
  await sees(page.getByRole('link', { name: 'Account', exact: true }));
  await checked(page, 'menu');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Profile');
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Account', exact: true }).waitFor({ state: 'hidden' });
  assert.ok(await focused(menu), 'Escape returns to the button of the menu');
}

async function tabTo(page, target) {
  for (let i = 0; i < 60 && !(await focused(target)); i++) await page.keyboard.press('Tab');
  assert.ok(await focused(target), 'Tab reaches it');
}

/** Expects a signed-in user. */
export async function missing(page) {
  step('paths without a view, and posts that do not exist');
  await open(page, '/no/such/path?x=1');
  await seesHeading(page, 'Not found');
  assert.equal(await page.title(), 'Not found · Acclaim');
  await sees(page.getByText('/no/such/path'));
  await checked(page, 'not-found');
  await open(page, '/posts/999999');
  await seesHeading(page, 'Not found');
  await sees(page.getByText('Post 999999 does not exist.'));

  step('a view that does not load can be tried again');
  const broken = await hold(page, 'GET', '/posts?');
  await open(page, '/');
  await broken.fail();
  await seesHeading(page, 'This did not load');
  await checked(page, 'broken');
  await click(page, 'button', 'Try again');
  await seesHeading(page, 'Posts');

  step('leaving a view aborts its loads');
  const slow = await hold(page, 'GET', '/posts?');
  const aborted = page.waitForEvent('requestfailed', (it) => it.url().startsWith(`${api}/posts?`));
  await click(page, 'link', 'Top');
  await slow.arrived();
  await click(page, 'link', 'New post');
  await seesHeading(page, 'New post');
  assert.match((await aborted).failure().errorText, /ABORTED/);
  await slow.release();
}

/** Expects that somebody is signed in on `page`, and nobody on `visitor`. */
export async function withoutAccount(page, visitor) {
  step('a reader without an account, if the service allows that');
  const posts = await request(page, 'GET', '/posts?published=true');
  const lists = (url) => url.href.startsWith(`${api}/posts?`);
  await visitor.route(lists, (route) => route.fulfill({ json: posts, headers: { 'Access-Control-Allow-Origin': '*' } }));
  await open(visitor, '/');
  const { title } = POSTS.ada[0];
  await sees(post(visitor, title));
  await checked(visitor, 'visitor');
  await post(visitor, title).getByRole('button', { name: 'Vote for' }).click();
  await seesHeading(visitor, 'Sign in');
  await visitor.unroute(lists);
}

/** Expects that scripts are off on `page`, and on on `checkable`: axe is a script itself. */
export async function withoutScripts(page, checkable) {
  step('without JavaScript');
  await seesHeading(page, 'Acclaim');
  assert.match(await page.locator('noscript').innerText(), /needs JavaScript, which is off/);
  assert.equal(await page.getByRole('main').getByRole('link', { name: api }).getAttribute('href'), `${api}/`);
  await checkable.route('**/main.js', (route) => route.abort());
  await checkable.reload();
  await checkable.locator('noscript').evaluate((el) => {
    const shown = document.createElement('div');
    shown.innerHTML = el.textContent;
    el.replaceWith(...shown.childNodes);
  });
  await checked(checkable, 'without-scripts');
}
