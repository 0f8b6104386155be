// Drives examples/web in a real browser against a running service, like a user: by roles and labels.
// Environment: API_URL (a service with an empty database and CORS_ALLOWED_ORIGINS set to
// http://localhost:WEB_PORT), WEB_PORT, ADMIN (the username of an admin), SCREENSHOTS (a folder).
import assert from 'node:assert/strict';
import { serve } from '../../examples/web/serve.mjs';
import { launch } from './browser.mjs';
import { accountSettings, sessions } from './web-account.mjs';
import { POSTS } from './web-content.mjs';
import { entry, signUpOnly } from './web-entry.mjs';
import { feeds, folded, longWords, pages, votes } from './web-feed.mjs';
import { moderation } from './web-moderation.mjs';
import { pictures, picturesAreFresh } from './web-pictures.mjs';
import { keyboardOnly, missing, withoutAccount, withoutScripts } from './web-reading.mjs';
import { endedSession, refresh, signOutOffline, signOutRevokesTokens } from './web-sessions.mjs';
import { PASSWORD, api, request, seesAlert, seesHeading, signIn, step } from './web-steps.mjs';
import { tokens } from './web-tokens.mjs';
import { deletionAtClose, deletions, drafts, edits, newPosts, othersPosts } from './web-writing.mjs';

const { ADMIN, WEB_PORT } = process.env;
assert.ok(WEB_PORT && ADMIN, 'WEB_PORT and ADMIN must be set');

/** Opens a page in its own profile and records its requests and errors. */
async function open(browser, url, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(10_000);
  const seen = { origins: new Set(), errors: [] };
  visits.push(seen);
  context.on('request', (request) => seen.origins.add(new URL(request.url()).origin));
  context.on('weberror', (error) => seen.errors.push(error.error().stack));
  context.on('console', (message) => message.type() === 'error' && seen.errors.push(message.text()));
  seen.page = await context.newPage();
  await seen.page.goto(url);
  return seen;
}

async function signedIn(browser, url, name) {
  const visit = await open(browser, url);
  await signIn(visit.page, name, PASSWORD);
  await seesHeading(visit.page, 'Posts');
  return visit;
}

/** Fails if the page sent requests to a third host. */
function assertTwoHosts(origins, web) {
  const others = [...origins].filter((origin) => ![new URL(api).origin, web, 'null'].includes(origin));
  assert.deepEqual(others, [], 'the page sends requests only to its own host and the service');
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
  await entry(page);
  await newPosts(page);
  await edits(page);
  await drafts(page);
  await refresh(page);
  await endedSession(page);
  await signOutRevokesTokens(page);
  await signOutOffline((await open(browser, allowed.url)).page);

  const { page: other } = await open(browser, allowed.url);
  await signUpOnly(other, 'grace');
  for (const it of POSTS.grace) await request(other, 'POST', '/posts', it);
  await keyboardOnly(other);
  await feeds(other);
  await votes(other);
  await folded(other);
  await longWords(other);
  await pages(other);
  await missing(other);
  await othersPosts(other, '/posts/1');
  await withoutAccount(other, (await open(browser, allowed.url)).page);

  await pictures((await signedIn(browser, allowed.url, 'ada')).page);
  await deletions((await signedIn(browser, allowed.url, 'ada')).page);
  await deletionAtClose((await signedIn(browser, allowed.url, 'ada')).page);
  const { page: settings } = await open(browser, allowed.url);
  await accountSettings(settings);
  await sessions(settings, (await open(browser, allowed.url)).page);
  await tokens(settings);
  await moderation(settings, ADMIN);
  const scriptless = await open(browser, allowed.url, { javaScriptEnabled: false });
  await withoutScripts(scriptless.page, (await open(browser, allowed.url)).page);

  for (const { origins, errors } of visits) {
    assertTwoHosts(origins, allowed.url);
    const unexpected = errors.filter((text) => !/^Failed to load resource: /.test(text));
    assert.deepEqual(unexpected, [], 'the console has only the expected errors');
  }

  step('an origin that is not listed');
  const foreign = await open(browser, unlisted.url);
  await seesAlert(foreign.page, `The service at ${api} cannot be reached; does its CORS_ALLOWED_ORIGINS list this page’s origin, ${unlisted.url}?`);
  assert.ok(foreign.errors.some((text) => text.includes('blocked by CORS policy')), 'the browser names CORS in the console');
  assertTwoHosts(foreign.origins, unlisted.url);
  picturesAreFresh();
  step('passed');
} catch (error) {
  console.error(`web: ${error.stack ?? error}`);
  for (const { errors } of visits) for (const text of errors) console.error(`web: console error: ${text}`);
  process.exitCode = 1;
} finally {
  for (const cleanUp of cleanups.reverse()) await cleanUp();
}
