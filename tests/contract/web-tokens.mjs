// Personal access tokens on examples/web. Used by web.mjs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { checked } from './web-pictures.mjs';
import { click, described, gone, sees, seesNotice, signOut, step, view } from './web-steps.mjs';
import { enter, newUser } from './web-users.mjs';

/** Runs the commands as a user who pastes them into a shell. Returns the service's response. */
const paste = (commands) => JSON.parse(execFileSync('sh', ['-c', commands.replace('curl ', 'curl -sS ')], { encoding: 'utf8' }));

/** Expects that nobody is signed in. */
export async function tokens(page) {
  await newUser('hopper');
  await enter(page, 'hopper');

  step('tokens: a token that the service rejects');
  await view(page, 'Access tokens');
  await click(page, 'button', 'Create token');
  const scopes = page.getByRole('group', { name: 'Scopes' });
  await sees(scopes.getByText('Scopes must be 1 to'));
  assert.ok((await described(page.getByLabel('Name', { exact: true }))).includes('must be 1 to 100 characters'));
  assert.ok((await described(scopes)).includes('must be 1 to'), 'the group is described by its error');

  step('tokens: create one, and use it with the command that the page shows');
  await page.getByLabel('Name', { exact: true }).fill('Weather station');
  await scopes.getByRole('checkbox', { name: 'posts:create Write new posts' }).check();
  await page.getByLabel('Expires').selectOption('In 7 days');
  await click(page, 'button', 'Create token');
  const created = page.getByRole('region', { name: 'Your new token “Weather station”' });
  await sees(created);
  const token = await created.getByLabel('Token').inputValue();
  assert.match(token, /^acl_/);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await click(created, 'button', 'Copy token');
  await seesNotice(page, 'Copied the token.');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), token);
  const command = await created.locator('pre').textContent();
  assert.equal(paste(command).title, 'Hello from a script');
  await checked(page, 'tokens');

  step('tokens: the list has no secret');
  await page.reload();
  const item = page.getByRole('main').getByRole('listitem').filter({ hasText: 'Weather station' });
  await sees(item);
  assert.ok(!(await page.content()).includes(token), 'the token is shown once');
  assert.match(await item.textContent(), /posts:create/);

  step('tokens: revoke');
  await click(item, 'button', 'Revoke “Weather station”');
  await click(page.getByRole('dialog'), 'button', 'Revoke');
  await gone(item);
  assert.equal(paste(command).status, 401);
  await signOut(page);
}
