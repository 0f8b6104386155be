// Drives examples/web in a real browser against a running service, like a user: by roles and labels.
// Environment: API_URL (a service with an empty database and CORS_ALLOWED_ORIGINS set to
// http://localhost:WEB_PORT), WEB_PORT, SCREENSHOTS (a folder).
import assert from 'node:assert/strict';
import { serve } from '../../examples/web/serve.mjs';
import { launch } from './browser.mjs';
import { refresh, signOutOffline, signOutRevokesTokens } from './web-sessions.mjs';
import { PASSWORD, api, click, described, focused, join, post, remove, sees, seesAlert, seesHeading, signIn, signOut, signUp, step, storedSession, voteButton, write } from './web-steps.mjs';

const { WEB_PORT, SCREENSHOTS } = process.env;
assert.ok(WEB_PORT && SCREENSHOTS, 'WEB_PORT and SCREENSHOTS must be set');
const POSTS = {
  ada: [
    ['Notes on the Analytical Engine', 'The Engine weaves algebraic patterns just as the Jacquard loom weaves flowers and leaves. It has no pretensions to originate anything: it can do whatever we know how to order it to perform.'],
    ['A table for the Bernoulli numbers', 'Note G is done. Twenty-five operations, laid out in the order in which the mill has to carry them out, and every column checked twice.\n\nIf you find a slip in operation 4, do write to me.'],
  ],
  grace: [
    ['First actual case of bug being found', 'Relay 70, panel F of the Mark II: a moth. It is taped into the log book now, at 15:45.'],
    ['How long is a nanosecond?', 'Just under thirty centimetres: that is how far a signal can get in one. I carry a bundle of wires of that length, and hand them out whenever somebody asks why satellites answer so late.'],
    ['The compiler is done, and nobody believes it', 'They told me that computers can only do arithmetic. I had a running compiler, and nobody would touch it.'],
  ],
};

/** Opens a page in its own profile and records its requests and errors. */
async function open(browser, url) {
  const context = await browser.newContext();
  context.setDefaultTimeout(10_000);
  const seen = { origins: new Set(), errors: [] };
  visits.push(seen);
  context.on('request', (request) => seen.origins.add(new URL(request.url()).origin));
  context.on('console', (message) => message.type() === 'error' && seen.errors.push(message.text()));
  context.on('weberror', (error) => seen.errors.push(String(error.error())));
  seen.page = await context.newPage();
  await seen.page.goto(url);
  return seen;
}

/** Fails if the page sent requests to a third host. */
function assertTwoHosts(origins, web) {
  assert.deepEqual([...origins].sort(), [new URL(api).origin, web].sort(), 'the page sends requests only to its own host and the service');
}

async function account(page) {
  step('a sign-up that the service rejects');
  await signUp(page, { 'E-mail': 'ada', Username: 'a' });
  await sees(page.getByText('must be an e-mail address', { exact: true }));
  for (const [label, words] of [['E-mail', 'must be an e-mail address'], ['Username', '3 to 30'], ['Password', 'must be 8 to 128 characters']]) {
    assert.equal(await page.getByLabel(label).getAttribute('aria-invalid'), 'true', `${label} is marked`);
    assert.ok((await described(page.getByLabel(label))).includes(words), `${label} is described by “${words}”`);
  }
  assert.ok(await focused(page.getByLabel('E-mail')), 'the first invalid field has the focus');
  await sees(page.getByRole('alert').locator(`a[href="${api}/problems/unprocessable-content"]`));
  await click(page, 'link', 'Sign in');
  await seesHeading(page, 'Sign in');

  step('a sign-up signs in');
  await join(page, 'ada');
  await sees(page.getByText('There are no posts yet.').and(page.locator(':not([role])')));
  await signOut(page);

  step('a wrong password');
  await signIn(page, 'ada', 'wrong horse');
  await seesAlert(page, 'the username or the password is wrong');
  await signIn(page, 'ada', PASSWORD);
  await seesHeading(page, 'Posts');
}

async function postsAndVotes(page) {
  const [[title], [second]] = POSTS.ada;
  step('posts');
  await click(page, 'link', 'New post');
  await click(page, 'button', 'Publish');
  await sees(page.getByText('must be 1 to 300 characters', { exact: true }));
  for (const [name, words] of POSTS.ada) await write(page, name, words);

  step('add a vote, remove it, add it again');
  await voteButton(page, title, '0 votes', false).click();
  await voteButton(page, title, '1 vote', true).click();
  await voteButton(page, title, '0 votes', false).click();
  await sees(voteButton(page, title, '1 vote', true));

  step('search and order');
  const search = page.getByRole('searchbox', { name: 'Search the posts' });
  await search.fill('bernoulli');
  await click(page, 'button', 'Search');
  await post(page, title).waitFor({ state: 'detached' });
  await sees(post(page, second));
  await search.fill('phlogiston');
  await search.press('Enter');
  await sees(page.getByRole('paragraph').filter({ hasText: 'No post has “phlogiston”.' }));
  assert.equal(await page.getByRole('article').count(), 0);
  await search.fill('');
  await sees(post(page, title));
  await page.getByRole('radio', { name: 'Oldest' }).check();
  await sees(page.getByRole('article', { name: title }).and(page.getByRole('article').first()));
}

async function drafts(page) {
  step('a draft is marked, published, deleted, and markup stays text');
  const title = '<i>Note H</i>';
  await write(page, title, 'Not for <b>anyone</b> yet.', 'Save as draft');
  const draft = post(page, title);
  await sees(draft.getByText('Draft', { exact: true }));
  await click(draft, 'button', 'Publish');
  await draft.getByText('Draft', { exact: true }).waitFor({ state: 'detached' });
  await click(draft, 'button', 'Delete');
  await click(page.getByRole('dialog'), 'button', 'Cancel');
  assert.equal(await draft.count(), 1, 'nothing is deleted on Cancel');
  await remove(page, title);
}

async function keyboardOnly(page, title) {
  step('keyboard only');
  await page.reload();
  const vote = voteButton(page, title, '1 vote', false);
  await sees(vote);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
  await page.keyboard.press('Enter');
  for (let i = 0; i < 40 && !(await focused(vote)); i++) await page.keyboard.press('Tab');
  await page.keyboard.press('Space');
  await sees(voteButton(page, title, '2 votes', true));
  assert.ok(await focused(voteButton(page, title, '2 votes', true)), 'the focus stays on the button');
}

async function pictures(page) {
  step('pictures');
  for (const [name, colorScheme, width, height] of [['light', 'light', 1200, 900], ['dark', 'dark', 1200, 900], ['narrow', 'light', 360, 800]]) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height });
    await page.reload();
    await sees(page.getByRole('article').first());
    const wide = await page.locator('body *').evaluateAll((all) => all.filter((el) => el.getBoundingClientRect().right > innerWidth).map((el) => el.outerHTML));
    assert.deepEqual(wide, [], `${name}: no element is wider than the window`);
    await page.screenshot({ path: `${SCREENSHOTS}/web-${name}.png` });
  }
}

const cleanups = [];
const visits = [];
try {
  const allowed = await serve({ api, port: Number(WEB_PORT) });
  cleanups.push(allowed.close);
  const unlisted = await serve({ api, port: 0 });
  cleanups.push(unlisted.close);
  const browser = await launch();
  cleanups.push(() => browser.close());

  const visit = await open(browser, allowed.url);
  const { page } = visit;
  await account(page);
  await postsAndVotes(page);
  await drafts(page);
  await refresh(page);
  await signOutRevokesTokens(page);
  await signOutOffline((await open(browser, allowed.url)).page);

  await join(page, 'grace');
  for (const [title, text] of POSTS.grace) await write(page, title, text);
  await keyboardOnly(page, POSTS.ada[0][0]);
  assert.equal(await post(page, POSTS.ada[0][0]).getByRole('button', { name: 'Delete' }).count(), 0, 'posts of other users have no Delete button');

  step('load more');
  const cards = Array.from({ length: 11 }, (_, i) => `Card ${i + 1} of the deck`);
  for (const title of cards) await write(page, title, 'Do not fold, spindle or mutilate.');
  assert.equal(await page.getByRole('article').count(), 10);
  await click(page, 'button', 'Load more');
  await sees(post(page, POSTS.ada[0][0]));
  assert.equal(await page.getByRole('article').count(), 16);
  for (const title of cards) await remove(page, title);
  await voteButton(page, POSTS.grace[2][0], '0 votes', false).click();
  await sees(voteButton(page, POSTS.grace[2][0], '1 vote', true));
  await signOut(page);

  await signIn(page, 'ada', PASSWORD);
  await voteButton(page, POSTS.grace[2][0], '1 vote', false).click();
  await sees(voteButton(page, POSTS.grace[2][0], '2 votes', true));
  await write(page, 'To whoever sent the piece of wire', 'It hangs beside the loom now. Light crosses it before I have finished saying its name.');
  await write(page, 'Music, some day', 'If the relations of pitched sounds could be expressed as operations, the Engine might compose.', 'Save as draft');
  await pictures(page);

  step('invalid tokens');
  await storedSession(page, { accessToken: 'stale', refreshToken: 'stale' });
  await page.reload();
  await seesAlert(page, 'the access token is not valid');
  await seesHeading(page, 'Sign in');
  assertTwoHosts(visit.origins, allowed.url);
  const unexpected = visit.errors.filter((text) => !/^Failed to load resource: .* status of 4\d\d /.test(text));
  assert.deepEqual(unexpected, [], 'the console has only the expected errors');

  step('an origin that is not listed');
  const other = await open(browser, unlisted.url);
  await signIn(other.page, 'ada', PASSWORD);
  await seesAlert(other.page, `The service at ${api} cannot be reached; does its CORS_ALLOWED_ORIGINS list this page’s origin, ${unlisted.url}?`);
  assert.ok(other.errors.some((text) => text.includes('blocked by CORS policy')), 'the browser names CORS in the console');
  assertTwoHosts(other.origins, unlisted.url);
  step('passed');
} catch (error) {
  console.error(`web: ${error.stack ?? error}`);
  for (const { errors } of visits) for (const text of errors) console.error(`web: console error: ${text}`);
  process.exitCode = 1;
} finally {
  for (const cleanUp of cleanups.reverse()) await cleanUp();
}
