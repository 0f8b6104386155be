// Drives examples/web in a real browser against a running service, the way a person would: by roles
// and labels. Wants API_URL (a service with a fresh database, whose CORS list names
// http://localhost:WEB_PORT alone), WEB_PORT, SCREENSHOTS (a folder), and CHROMIUM if it is elsewhere.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { serve } from '../../examples/web/serve.mjs';

const api = need('API_URL').replace(/\/$/, '');
const webPort = Number(need('WEB_PORT'));
const screenshots = need('SCREENSHOTS');
const PASSWORD = 'correct horse';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
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

function need(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

function step(what) {
  console.log(`web: ${what}`);
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** A page in a profile of its own, with what it asked for and what it complained about. */
async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  context.setDefaultTimeout(10_000);
  const seen = { context, origins: new Set(), errors: [] };
  context.on('request', (request) => seen.origins.add(new URL(request.url()).origin));
  context.on('console', (message) => message.type() === 'error' && seen.errors.push(message.text()));
  context.on('weberror', (error) => seen.errors.push(String(error.error())));
  seen.page = await context.newPage();
  await seen.page.goto(url);
  return seen;
}

/** No third host was asked, and nothing but the refusals that were provoked stands in the console. */
function assertClean({ origins, errors }, web) {
  assert.deepEqual([...origins].sort(), [new URL(api).origin, web].sort(), 'the page talks to itself and the service alone');
  const unexpected = errors.filter((text) => !/^Failed to load resource: .* status of 4\d\d /.test(text));
  assert.deepEqual(unexpected, [], 'the console has no errors');
}

async function signIn(page, username, password) {
  await page.getByLabel('Username or e-mail').fill(username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function signUp(page, username) {
  await page.getByRole('link', { name: 'Create an account' }).click();
  await page.getByLabel('E-mail').fill(`${username}@example.com`);
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign up' }).click();
  await sees(page.getByRole('status').filter({ hasText: `Signed in as ${username}.` }));
}

async function signOut(page) {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await sees(page.getByRole('heading', { name: 'Sign in' }));
}

async function write(page, title, text, button = 'Publish') {
  await page.getByRole('link', { name: 'New post' }).click();
  await page.getByLabel('Title').fill(title);
  await page.getByLabel('Text').fill(text);
  await page.getByRole('button', { name: button }).click();
  await sees(post(page, title));
}

const sees = (locator) => locator.waitFor({ state: 'visible' });
const post = (page, title) => page.getByRole('article', { name: title, exact: true });
const voteButton = (page, title, votes, pressed) =>
  page.getByRole('button', { name: `Vote for “${title}”, ${votes}`, exact: true, pressed });
const described = (field) =>
  field.evaluate((el) => el.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(' '));

async function account(page) {
  step('a sign up that the service refuses');
  await page.getByRole('link', { name: 'Create an account' }).click();
  await page.getByLabel('E-mail').fill('ada');
  await page.getByLabel('Username').fill('a');
  await page.getByRole('button', { name: 'Sign up' }).click();
  await sees(page.getByText('must be an e-mail address', { exact: true }));
  for (const [label, words] of [['E-mail', 'must be an e-mail address'], ['Username', '3 to 30'], ['Password', 'must be 8 to 128 characters']]) {
    const field = page.getByLabel(label);
    assert.equal(await field.getAttribute('aria-invalid'), 'true', `${label} is marked`);
    assert.ok((await described(field)).includes(words), `${label} is described by “${words}”`);
  }
  assert.ok(await page.getByLabel('E-mail').evaluate((el) => el === document.activeElement), 'the first refused field has the focus');
  const about = page.getByRole('alert').getByRole('link', { name: 'About this problem' });
  assert.equal(await about.getAttribute('href'), `${api}/problems/unprocessable-content`);
  await page.getByRole('link', { name: 'Sign in' }).click();

  step('sign up, which signs in');
  await signUp(page, 'ada');
  await sees(page.getByText('There are no posts yet.').and(page.locator(':not([role])')));
  await signOut(page);

  step('a wrong password');
  await signIn(page, 'ada', 'wrong horse');
  await sees(page.getByRole('alert').filter({ hasText: 'the username or the password is wrong' }));
  await signIn(page, 'ada', PASSWORD);
  await sees(page.getByRole('heading', { name: 'Posts' }));
}

async function postsAndVotes(page) {
  const [[title, text], [second, more]] = POSTS.ada;
  step('posts');
  await page.getByRole('link', { name: 'New post' }).click();
  await page.getByRole('button', { name: 'Publish' }).click();
  await sees(page.getByText('must be 1 to 300 characters', { exact: true }));
  await page.getByRole('link', { name: 'Back to the posts' }).click();
  await write(page, title, text);
  await write(page, second, more);

  step('vote, take back, vote again');
  await voteButton(page, title, '0 votes', false).click();
  await voteButton(page, title, '1 vote', true).click();
  await voteButton(page, title, '0 votes', false).click();
  await sees(voteButton(page, title, '1 vote', true));
  await page.reload();
  await sees(voteButton(page, title, '1 vote', true));

  step('search and order');
  const search = page.getByRole('searchbox', { name: 'Search the posts' });
  await search.fill('bernoulli');
  await page.getByRole('button', { name: 'Search' }).click();
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
  step('a draft is marked, published, deleted');
  await write(page, 'Note H', 'Not for anyone yet.', 'Save as draft');
  const draft = post(page, 'Note H');
  await sees(draft.getByText('Draft', { exact: true }));
  await draft.getByRole('button', { name: 'Publish' }).click();
  await draft.getByText('Draft', { exact: true }).waitFor({ state: 'detached' });
  await draft.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await draft.count(), 1, 'nothing is deleted on Cancel');
  await draft.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await draft.waitFor({ state: 'detached' });
}

async function keyboardAlone(page, title) {
  step('the keyboard alone');
  await page.reload();
  const vote = voteButton(page, title, '1 vote', false);
  await sees(vote);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
  await page.keyboard.press('Enter');
  for (let i = 0; i < 40 && !(await vote.evaluate((el) => el === document.activeElement)); i++) await page.keyboard.press('Tab');
  await page.keyboard.press('Space');
  const voted = voteButton(page, title, '2 votes', true);
  await sees(voted);
  assert.ok(await voted.evaluate((el) => el === document.activeElement), 'the focus stays on the button');
}

async function pagesOfPosts(page) {
  step('load more');
  const titles = Array.from({ length: 11 }, (_, i) => `Card ${i + 1} of the deck`);
  for (const title of titles) await write(page, title, 'Do not fold, spindle or mutilate.');
  assert.equal(await page.getByRole('article').count(), 10);
  await page.getByRole('button', { name: 'Load more' }).click();
  await sees(post(page, POSTS.ada[0][0]));
  assert.equal(await page.getByRole('article').count(), 16);
  for (const title of titles) {
    await post(page, title).getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await post(page, title).waitFor({ state: 'detached' });
  }
}

async function pictures(page) {
  step('pictures');
  await mkdir(screenshots, { recursive: true });
  for (const [name, colorScheme, width, height] of [['light', 'light', 1200, 900], ['dark', 'dark', 1200, 900], ['narrow', 'light', 360, 800]]) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height });
    await page.reload();
    await sees(page.getByRole('article').first());
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${name}: nothing sticks out sideways`);
    await page.screenshot({ path: join(screenshots, `web-${name}.png`) });
  }
}

async function endOfSession(page) {
  step('a token that is no good');
  await page.evaluate(() => {
    for (const key of Object.keys(sessionStorage)) {
      sessionStorage.setItem(key, JSON.stringify({ ...JSON.parse(sessionStorage.getItem(key)), token: 'stale' }));
    }
  });
  await page.reload();
  await sees(page.getByRole('alert').filter({ hasText: 'the access token is not valid' }));
  await sees(page.getByRole('heading', { name: 'Sign in' }));
}

async function refusedOrigin(browser, web) {
  step('an origin that is not on the list');
  const { context, page, origins, errors } = await open(browser, web);
  await signIn(page, 'ada', PASSWORD);
  await sees(page.getByRole('alert').filter({
    hasText: `The service at ${api} cannot be reached; does its CORS_ALLOWED_ORIGINS list this page’s origin, ${web}?`,
  }));
  assert.ok(errors.some((text) => text.includes('blocked by CORS policy')), 'the browser names CORS in the console');
  assert.deepEqual([...origins].sort(), [new URL(api).origin, web].sort());
  await context.close();
}

const closing = [];
try {
  const allowed = await serve({ api, port: webPort });
  closing.push(allowed.close);
  const refused = await serve({ api, port: await freePort() });
  closing.push(refused.close);
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', headless: true, args: FLAGS });
  closing.push(() => browser.close());

  const visit = await open(browser, allowed.url);
  const { page } = visit;
  await account(page);
  await postsAndVotes(page);
  await drafts(page);
  await signOut(page);

  await signUp(page, 'grace');
  for (const [title, text] of POSTS.grace) await write(page, title, text);
  await keyboardAlone(page, POSTS.ada[0][0]);
  assert.equal(await post(page, POSTS.ada[0][0]).getByRole('button', { name: 'Delete' }).count(), 0, 'others’ posts have no Delete');
  await pagesOfPosts(page);
  await voteButton(page, POSTS.grace[2][0], '0 votes', false).click();
  await sees(voteButton(page, POSTS.grace[2][0], '1 vote', true));
  await write(page, 'Flow-Matic, a sketch', 'Data in English words, for people who do not want to write symbols.', 'Save as draft');
  await pictures(page);
  await endOfSession(page);
  assertClean(visit, allowed.url);
  await visit.context.close();

  await refusedOrigin(browser, refused.url);
  step('all is well');
} catch (error) {
  console.error(`web: ${error.stack ?? error}`);
  process.exitCode = 1;
} finally {
  for (const close of closing.reverse()) await close();
}
