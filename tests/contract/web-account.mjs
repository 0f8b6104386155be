// The account and the sessions of a user on examples/web. Used by web.mjs.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { checked } from './web-pictures.mjs';
import { PASSWORD, click, described, open, request, sees, seesHeading, seesNotice, step, storedSession, view } from './web-steps.mjs';
import { enter, newUser, send } from './web-users.mjs';

const NEW_PASSWORD = 'battery staple';

/** The panel with this heading. */
const panel = (page, name) => page.getByRole('region', { name, exact: true });

/** Submits the form of a panel. */
async function change(page, name, values, button) {
  for (const [label, value] of Object.entries(values)) await panel(page, name).getByLabel(label).fill(value);
  await click(panel(page, name), 'button', button);
}

/** The field is marked as wrong, has the focus and is described by `words`, which the page says once. */
async function refused(page, name, label, words) {
  const field = panel(page, name).getByLabel(label);
  await sees(panel(page, name).getByText(words));
  assert.equal(await field.getAttribute('aria-invalid'), 'true', `${label} is marked`);
  assert.ok((await described(field)).includes(words), `${label} is described by “${words}”`);
  assert.equal(await page.getByText(words).count(), 1, `“${words}” is said once`);
}

/** Expects that nobody is signed in, and the user `ada`. */
export async function accountSettings(page) {
  const name = 'hedy';
  await newUser(name);
  await enter(page, name);

  step('account: change the username');
  await view(page, 'Account');
  await change(page, 'Username', { 'New username': 'x' }, 'Change username');
  await refused(page, 'Username', 'New username', 'must be 3 to 30');
  await change(page, 'Username', { 'New username': 'ada' }, 'Change username');
  await refused(page, 'Username', 'New username', 'taken');
  await change(page, 'Username', { 'New username': `${name}-l` }, 'Change username');
  await seesNotice(page, `Your username is ${name}-l.`);
  await sees(page.getByRole('banner').getByText(`${name}-l`, { exact: true }));

  step('account: change the e-mail address');
  const address = { 'New e-mail address': `${name}@example.org` };
  await change(page, 'E-mail address', address, 'Change e-mail address');
  await refused(page, 'E-mail address', 'Current password', 'is required');
  await change(page, 'E-mail address', { ...address, 'Current password': 'wrong horse' }, 'Change e-mail address');
  await refused(page, 'E-mail address', 'Current password', 'is wrong');
  await change(page, 'E-mail address', { ...address, 'Current password': PASSWORD }, 'Change e-mail address');
  await seesNotice(page, `Your e-mail address is ${name}@example.org.`);
  await checked(page, 'account');

  step('account: change the password');
  const field = panel(page, 'Password').getByLabel('New password');
  assert.ok((await described(field)).includes('8 to 128 characters'), 'the rule is said before it is broken');
  await change(page, 'Password', { 'New password': 'password', 'Current password': PASSWORD }, 'Change password');
  await refused(page, 'Password', 'New password', 'most common passwords');
  const before = await storedSession(page);
  await change(page, 'Password', { 'New password': NEW_PASSWORD, 'Current password': PASSWORD }, 'Change password');
  await seesNotice(page, 'Your password is changed.');
  const after = await storedSession(page);
  assert.notEqual(after.refreshToken, before.refreshToken, 'the tab has the tokens of the new session');
  assert.equal(await status(before.accessToken), 401, 'the previous session has ended');
  await page.reload();
  await seesHeading(page, 'Account');

  step('account: export');
  const download = page.waitForEvent('download');
  await click(page, 'button', 'Download “your data”');
  const file = await download;
  assert.ok(file.url().startsWith('blob:'), 'the URL has no token');
  assert.equal(file.suggestedFilename(), `acclaim-${name}-l.json`);
  assert.equal(JSON.parse(await readFile(await file.path(), 'utf8')).user.email, `${name}@example.org`);

  step('account: delete, while the deletion of a post waits');
  const { id } = await request(page, 'POST', '/posts', { title: 'Frequency hopping', content: 'Not for long.' });
  await open(page, `/posts/${id}`);
  await click(page, 'button', 'Delete “Frequency hopping”');
  await seesHeading(page, 'Posts');
  await view(page, 'Account');
  await change(page, 'Delete account', { 'Current password': PASSWORD }, 'Delete my account');
  await refused(page, 'Delete account', 'Current password', 'is wrong');
  await change(page, 'Delete account', { 'Current password': NEW_PASSWORD }, 'Delete my account');
  await seesNotice(page, 'Your account is deleted.');
  assert.equal(await page.getByRole('button', { name: 'Undo' }).count(), 0, 'nothing waits any more');
  assert.equal(await storedSession(page), null, 'the tab has deleted the tokens');
  assert.equal(await status(after.accessToken), 401, 'the account is gone');
}

async function status(accessToken) {
  return (await send('GET', '/users/me', undefined, accessToken)).status;
}

/** Expects that nobody is signed in on either page. */
export async function sessions(page, other) {
  const name = 'mary';
  const script = await newUser(name);
  await enter(page, name);
  await enter(other, name);

  step('sessions: list and end one');
  await view(page, 'Sessions');
  const items = page.getByRole('main').getByRole('listitem');
  assert.equal(await items.count(), 3);
  assert.equal(await items.filter({ hasText: 'This session' }).count(), 1);
  assert.equal(await items.filter({ hasText: 'Chrome on Linux' }).count(), 2);
  await checked(page, 'sessions');
  await click(page, 'button', 'End “node”');
  await seesNotice(page, 'Ended the session of node.');
  assert.equal(await status(script), 401);
  assert.equal(await items.count(), 2);

  step('sessions: end all');
  await click(page, 'button', 'End all sessions');
  await click(page.getByRole('dialog'), 'button', 'End all');
  await seesNotice(page, 'All sessions have ended.');
  await seesHeading(page, 'Sign in');
  await open(other, '/sessions');
  await seesHeading(other, 'Sign in');
}
