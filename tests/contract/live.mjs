// Drives the live parts of examples/web in a real browser, while others write and the service restarts.
// Environment: API_URL (a service with an empty database, PUBLIC_READS, and CORS_ALLOWED_ORIGINS set to
// http://localhost:WEB_PORT), WEB_PORT, SCREENSHOTS (a folder). Prints `> stop`, `> start` and `> suspend`, and
// then waits for a line of the standard input: until the service has stopped or started, or eve is suspended.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { serve } from '../../examples/web/serve.mjs';
import { launch } from './browser.mjs';
import { checked } from './web-pictures.mjs';
import { api, click, focused, gone, open, pathOf, post, request, sees, seesHeading, step, voteButton } from './web-steps.mjs';
import { enter, newUser, send } from './web-users.mjs';

const { WEB_PORT } = process.env;
assert.ok(WEB_PORT, 'WEB_PORT must be set');

/** Prints an order, and waits until it is done. */
async function tell(order) {
  console.log(`> ${order}`);
  await once(process.stdin, 'data');
}

/** Sends a request as the other user, grace. Returns the body of the response. */
async function grace(method, path, body) {
  const answer = await send(method, path, body, grace.token);
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text && JSON.parse(text);
}

const writes = (title, more = {}) => grace('POST', '/posts', { title, content: 'Seen at once.', ...more });
const news = (page, name) => page.getByRole('status').getByRole('button', { name, exact: true });
const isStream = (it) => it.url().startsWith(`${api}/events?`) && it.resourceType() === 'eventsource';
/** The end of the page's stream, from the side of the page. */
const closed = (page) => page.waitForEvent('requestfailed', isStream);

async function newPosts(page) {
  const older = await writes('Older draft', { published: false });
  const old = await writes('Old');
  const draft = await writes('Draft', { published: false });
  await open(page, '/');
  await sees(post(page, 'Old'));
  const vote = voteButton(page, 'Old', '0 votes', false);
  await vote.focus();

  step('new posts are counted; drafts, own posts and older ones are not');
  await request(page, 'POST', '/posts', { title: 'Own', content: 'Written elsewhere.' });
  await request(page, 'POST', '/posts', { title: 'Own draft', content: 'Written elsewhere.', published: false });
  await writes('Draft too', { published: false });
  await grace('PATCH', `/posts/${older.id}`, { published: true });
  const { id } = await writes('First');
  await sees(news(page, '1 new post'));
  await writes('Second', { tags: ['loom'] });
  await sees(news(page, '2 new posts'));
  assert.equal(await page.getByRole('article').count(), 1, 'the list stays as it is');
  assert.ok(await focused(vote), 'the focus stays where it is');
  await checked(page, 'news');

  step('a post that is gone is not counted');
  await grace('PATCH', `/posts/${id}`, { published: false });
  await sees(news(page, '1 new post'));
  await grace('PATCH', `/posts/${id}`, { published: true });
  await sees(news(page, '2 new posts'));
  await grace('DELETE', `/posts/${draft.id}`);
  await grace('DELETE', `/posts/${id}`);
  await sees(news(page, '1 new post'));

  step('they are loaded by keyboard');
  await news(page, '1 new post').press('Enter');
  await sees(post(page, 'Second'));
  assert.equal(await news(page, /new post/).count(), 0);
  assert.ok(await focused(page.getByRole('heading', { level: 1 })), 'the focus is on the heading');

  step('a post that is written while the list loads is counted');
  const isList = (url) => url.href.startsWith(`${api}/posts?`);
  const later = async (route) => {
    const response = await route.fetch();
    await writes('Meanwhile');
    await route.fulfill({ response });
  };
  await page.route(isList, later, { times: 1 });
  await open(page, '/');
  await sees(news(page, '1 new post'));

  step('with a tag, only posts with it are counted');
  await open(page, '/?tag=loom');
  await sees(post(page, 'Second'));
  await writes('Without the tag');
  const tagged = await writes('With the tag', { tags: ['loom'] });
  await sees(news(page, '1 new post'));
  await grace('DELETE', `/posts/${tagged.id}`);
  await gone(news(page, /new post/));

  step('in another order nothing is counted');
  await open(page, '/?sort=old');
  await sees(post(page, 'Old'));
  await writes('Third');
  await grace('PUT', `/posts/${old.id}/vote`);
  await sees(voteButton(page, 'Old', '1 vote', false));
  assert.equal(await news(page, /new post/).count(), 0);
  await grace('DELETE', `/posts/${old.id}/vote`);
  return old;
}

async function votes(page, { id }) {
  const path = `/posts/${id}/vote`;
  for (const view of ['/', `/posts/${id}`]) {
    step(`votes of others, on ${view.replace(/\d+/, 'ID')}`);
    await open(page, view);
    const vote = voteButton(page, 'Old', '0 votes', false);
    await vote.focus();
    await grace('PUT', path);
    await sees(voteButton(page, 'Old', '1 vote', false));
    await page.keyboard.press('Enter');
    await sees(voteButton(page, 'Old', '2 votes', true));
    await grace('DELETE', path);
    await sees(voteButton(page, 'Old', '1 vote', true));
    assert.ok(await focused(voteButton(page, 'Old', '1 vote', true)), 'the focus stays on the button');
    await page.keyboard.press('Enter');
    await sees(voteButton(page, 'Old', '0 votes', false));
  }
}

async function gonePosts(page) {
  step('a post that is deleted disappears');
  const { id } = await writes('Not for long');
  await open(page, '/');
  const title = page.getByRole('link', { name: 'Not for long', exact: true });
  await title.focus();
  await grace('DELETE', `/posts/${id}`);
  await gone(post(page, 'Not for long'));
  assert.ok(await focused(post(page, 'Third').getByRole('link', { name: 'Third', exact: true })), 'the focus is on its neighbour');
  const last = await writes('Nor this one');
  await open(page, `/posts/${last.id}`);
  await seesHeading(page, 'Nor this one');
  await grace('DELETE', `/posts/${last.id}`);
  await seesHeading(page, 'Not found');
}

async function suspension(page) {
  step('all posts of a suspended user disappear');
  const eve = await newUser('eve');
  const looms = (title) => send('POST', '/posts', { title, content: 'Only today.' }, eve);
  await looms('Looms for sale');
  await open(page, '/');
  await sees(post(page, 'Looms for sale'));
  await looms('More looms for sale');
  await sees(news(page, '1 new post'));
  const search = page.getByRole('searchbox');
  await search.focus();
  await tell('suspend');
  await gone(post(page, 'Looms for sale'));
  assert.ok(await focused(search), 'the focus stays where it is');
  await gone(news(page, /new post/));
  await sees(post(page, 'Old'));
}

async function connections(page, { id }) {
  step('a page that is hidden has no stream, and misses nothing');
  await open(page, '/');
  await sees(post(page, 'Old'));
  await grace('PUT', `/posts/${id}/vote`);
  await sees(voteButton(page, 'Old', '1 vote', false));
  const events = await grace('GET', '/events?after=0&limit=100&kinds=vote.added');
  const { position } = events.at(-1);
  const hide = (hidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  const streams = [];
  page.on('request', (it) => isStream(it) && streams.push(new URL(it.url()).searchParams));
  const end = closed(page);
  await hide(true);
  await end;
  await writes('While you were away');
  await grace('DELETE', `/posts/${id}/vote`);
  await hide(false);
  await sees(news(page, '1 new post'));
  await sees(voteButton(page, 'Old', '0 votes', false));
  assert.equal(streams.length, 1);
  assert.equal(Number(streams[0].get('after')), position, 'it continues after the vote');

  step('a view that is left has no stream');
  const left = closed(page);
  await click(page, 'link', 'New post');
  await left;

  step('a list is loaded again if events are missing');
  const body = 'id: 7\nevent: reset\ndata: {"position":7}\n\n';
  const headers = { 'Access-Control-Allow-Origin': '*' };
  await page.route((url) => url.href.startsWith(`${api}/events?`) && url.searchParams.has('ticket'), (route) => route.fulfill({ contentType: 'text/event-stream', headers, body }), { times: 1 });
  const isList = (it) => it.url().startsWith(`${api}/posts?`);
  await Promise.all([page.waitForResponse(isList).then(() => page.waitForResponse(isList)), click(page, 'link', 'Posts')]);
  await sees(post(page, 'While you were away'));
}

/** Expects that nobody is signed in on `visitor`. */
async function restart(page, visitor, { id }) {
  step('a service that stops, and starts again later, with and without an account');
  const both = (run) => Promise.all([page, visitor].map(run));
  await both(async (it) => {
    await it.clock.install();
    await open(it, '/');
    await sees(post(it, 'Old'));
  });
  await writes('Before the restart');
  await both((it) => sees(news(it, '1 new post')));
  // From here on, the pages connect again only at `fastForward`.
  await both((it) => it.clock.pauseAt(Date.now() + 60_000));
  await tell('stop');
  const refused = both((it) => it.waitForEvent('requestfailed', (request) => request.url().startsWith(`${api}/events`)));
  await both((it) => it.clock.fastForward(60_000));
  await refused;
  await tell('start');
  await writes('After the restart');
  await grace('PUT', `/posts/${id}/vote`);
  await both(async (it) => assert.ok(await news(it, '1 new post').isVisible()));
  await both((it) => it.clock.fastForward(60_000));
  await both((it) => sees(news(it, '2 new posts')));
  await both((it) => sees(voteButton(it, 'Old', '1 vote', false)));
  await writes('And live again');
  await both((it) => sees(news(it, '3 new posts')));
  await news(page, '3 new posts').click();
  await sees(post(page, 'After the restart'));
  assert.equal(await page.getByRole('alert').filter({ hasText: /./ }).count(), 0, 'no alert is shown');
  await page.clock.resume();
}

async function endedSession(page) {
  step('a session that ends elsewhere leads to the sign-in');
  const [session] = await request(page, 'GET', '/sessions');
  await request(page, 'DELETE', `/sessions/${session.id}`);
  await seesHeading(page, 'Sign in');
  assert.equal(await pathOf(page), '/sign-in');
}

const cleanups = [];
try {
  const web = await serve({ api, port: Number(WEB_PORT) });
  cleanups.push(web.close);
  const browser = await launch();
  cleanups.push(() => browser.close());
  const errors = [];
  const newPage = async () => {
    const context = await browser.newContext();
    context.setDefaultTimeout(10_000);
    context.on('weberror', (error) => errors.push(error.error().stack));
    const page = await context.newPage();
    await page.goto(web.url);
    return page;
  };
  await newUser('ada');
  grace.token = await newUser('grace');
  const page = await newPage();
  await enter(page, 'ada');

  const old = await newPosts(page);
  await votes(page, old);
  await gonePosts(page);
  await suspension(page);
  await connections(page, old);
  await restart(page, await newPage(), old);
  await endedSession(page);
  assert.deepEqual(errors, [], 'the page has no errors');
  step('passed');
} catch (error) {
  console.log(`web: ${error.stack ?? error}`);
  process.exitCode = 1;
} finally {
  for (const cleanUp of cleanups.reverse()) await cleanUp();
  process.stdin.destroy();
}
