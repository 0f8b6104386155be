// The feeds of examples/web. Used by web.mjs.
import assert from 'node:assert/strict';
import { POSTS } from './web-content.mjs';
import { checked } from './web-pictures.mjs';
import { click, focused, gone, hold, open, pathOf, post, request, sees, seesAlert, seesHeading, step, voteButton } from './web-steps.mjs';
import { newUser, send } from './web-users.mjs';

const titles = (page) => page.getByRole('article').evaluateAll((all) => all.map((el) => el.querySelector('h2').textContent));
const ALL = [...POSTS.ada, ...POSTS.grace].map(({ title }) => title);

/** Expects grace, who has not voted, and the posts of ada and grace, without votes. */
export async function feeds(page) {
  const [notes, , moth, nanosecond, compiler] = ALL;

  step('orders');
  await request(page, 'PUT', `/posts/${await idOf(page, moth)}/vote`);
  await open(page, '/');
  await sees(post(page, compiler));
  assert.deepEqual(await titles(page), [...ALL].reverse());
  for (const [order, first] of [['Old', notes], ['Top', moth], ['Hot', moth], ['New', compiler]]) {
    await page.getByRole('navigation', { name: 'Order' }).getByRole('link', { name: order }).click();
    await sees(page.getByRole('navigation', { name: 'Order' }).locator(`[aria-current]:text-is("${order}")`));
    assert.equal((await titles(page))[0], first, `${order} starts with “${first}”`);
  }
  assert.equal(await pathOf(page), '/');

  step('a tag, and Back');
  await post(page, moth).getByRole('link', { name: 'hardware' }).click();
  await seesHeading(page, 'Posts tagged hardware');
  assert.equal(await pathOf(page), '/?tag=hardware');
  assert.deepEqual(await titles(page), [nanosecond, moth]);
  await page.goBack();
  await seesHeading(page, 'Posts');
  await page.goForward();
  await seesHeading(page, 'Posts tagged hardware');
  await click(page, 'link', 'Remove the filter “Tag: hardware”');
  await seesHeading(page, 'Posts');

  step('search');
  const search = page.getByRole('searchbox', { name: 'Search the posts' });
  await search.fill('bernoulli');
  await search.press('Enter');
  await seesHeading(page, 'Posts with “bernoulli”');
  assert.ok(await focused(page.getByRole('heading', { level: 1 })), 'the focus is on the heading');
  assert.equal(await pathOf(page), '/?search=bernoulli');
  assert.equal(await search.inputValue(), 'bernoulli');
  assert.equal(await page.getByRole('article').count(), 1);
  await checked(page, 'search');
  await search.fill('phlogiston');
  await click(page, 'button', 'Search');
  await sees(page.getByText('No post matches.'));
  await page.goBack();
  await seesHeading(page, 'Posts with “bernoulli”');

  step('own votes, and an author');
  await open(page, '/');
  await click(page, 'link', 'Your votes');
  await seesHeading(page, 'Posts you voted for');
  assert.deepEqual(await titles(page), [moth]);
  await open(page, `/?owner=${(await request(page, 'GET', '/users/me')).id}&sort=old`);
  await seesHeading(page, 'Posts by grace');
  assert.deepEqual(await titles(page), [moth, nanosecond, compiler]);
  await checked(page, 'author');

  step('a filter that the service rejects');
  await open(page, '/?sort=best');
  await seesHeading(page, 'This did not load');
  await sees(page.getByRole('main').getByText('must be'));
  await checked(page, 'rejected');
}

/** Expects grace and the posts of ada and grace. */
export async function pages(page) {
  step('pages, and Back');
  for (let i = 1; i <= 11; i++) await request(page, 'POST', '/posts', { title: `Card ${i} of the deck`, content: 'Do not fold, spindle or mutilate.', tags: ['deck'] });
  await open(page, '/');
  await sees(page.getByRole('article').first());
  assert.equal(await page.getByRole('article').count(), 10);
  await page.getByRole('link', { name: 'Next' }).scrollIntoViewIfNeeded();
  const scrolled = await page.evaluate(() => scrollY);
  assert.ok(scrolled > 0);
  await click(page, 'link', 'Next');
  await sees(post(page, ALL[0]));
  assert.equal(await page.evaluate(() => scrollY), 0, 'a new view starts at the top');
  assert.equal(await page.getByRole('article').count(), 6);
  assert.match(await pathOf(page), /^\/\?cursor=/);
  await page.reload();
  await sees(post(page, ALL[0]));
  assert.equal(await page.getByRole('link', { name: 'Next' }).count(), 0, 'the last page');
  await page.goBack();
  await sees(post(page, 'Card 11 of the deck'));
  assert.equal(await page.evaluate(() => scrollY), scrolled, 'Back returns to the same place');
  await page.goForward();
  await click(page, 'link', 'Previous');
  await sees(post(page, 'Card 11 of the deck'));
  assert.equal(await page.getByRole('article').count(), 10);
  for (const { id } of await request(page, 'GET', '/posts?tag=deck&limit=20')) await request(page, 'DELETE', `/posts/${id}`);
}

/** Expects grace, and the posts of ada without votes. */
export async function votes(page) {
  const { title } = POSTS.ada[1];
  const path = `/posts/${await idOf(page, title)}`;
  const vote = page.getByRole('button', { name: `Vote for “${title}”` });

  step('a vote is shown before the service answers');
  await open(page, path);
  await sees(voteButton(page, title, '0 votes', false));
  const put = await hold(page, 'PUT', `${path}/vote`);
  await vote.click();
  await put.arrived();
  await sees(voteButton(page, title, '1 vote', true));
  assert.equal((await request(page, 'GET', path)).votes, 0);

  step('the last click wins');
  await vote.click();
  await sees(voteButton(page, title, '0 votes', false));
  const taken = page.waitForResponse((response) => response.request().method() === 'DELETE');
  await put.release();
  assert.equal((await taken).status(), 200);
  assert.equal((await request(page, 'GET', path)).votes, 0);

  step('a vote that the service refuses is taken back');
  const refused = await hold(page, 'PUT', `${path}/vote`);
  await vote.click();
  await sees(voteButton(page, title, '1 vote', true));
  await refused.fail();
  await seesAlert(page, 'The database cannot be reached.');
  await sees(voteButton(page, title, '0 votes', false));
  assert.ok(await focused(vote), 'the focus stays on the button');
  await checked(page, 'post-refused-vote');
}

/** Expects the long post of grace. */
export async function folded(page) {
  step('a long post is folded in a list');
  const { title } = POSTS.grace[1];
  await open(page, '/');
  const text = post(page, title).locator('.content');
  await sees(text);
  assert.ok(!(await text.textContent()).includes('ground pepper'));
  const unfold = post(page, title).locator('[aria-expanded]');
  assert.equal(await unfold.getAttribute('aria-label'), `Show all of “${title}”`);
  assert.equal(await unfold.getAttribute('aria-expanded'), 'false');
  await unfold.press('Enter');
  await sees(post(page, title).getByText('ground pepper'));
  assert.ok(await focused(unfold), 'the focus stays on the button');
  await unfold.press('Enter');
  await gone(post(page, title).getByText('ground pepper'));
  await post(page, title).getByRole('link', { name: title, exact: true }).click();
  await seesHeading(page, title);
  assert.equal(await page.title(), `${title} · Acclaim`);
  await sees(page.getByText('ground pepper'));
  await checked(page, 'post');
}

/** Leaves the posts as they are. */
export async function longWords(page) {
  step('words without an end stay on the page');
  const author = await newUser('a'.repeat(30));
  const title = 'Wort'.repeat(75);
  const tags = Array.from({ length: 10 }, (_, i) => `${i}`.repeat(30));
  const { id } = await (await send('POST', '/posts', { title, content: 'Donau'.repeat(200), tags }, author)).json();
  await open(page, '/');
  await sees(post(page, title));
  await checked(page, 'long-words');
  await open(page, `/posts/${id}`);
  await seesHeading(page, title);
  await checked(page, 'post-long-words');
  await send('DELETE', `/posts/${id}`, undefined, author);
}

/** The id of the post with this title. */
async function idOf(page, title) {
  const posts = await request(page, 'GET', '/posts?limit=100');
  return posts.find((it) => it.title === title).id;
}
