// Moderation on examples/web. Used by web.mjs.
import assert from 'node:assert/strict';
import { checked } from './web-pictures.mjs';
import { api, click, focused, gone, hold, open, post, sees, seesHeading, seesNotice, signOut, step, view } from './web-steps.mjs';
import { enter, newUser, send } from './web-users.mjs';

const row = (page, name) => page.getByRole('main').getByRole('listitem').filter({ has: page.getByRole('link', { name, exact: true }) });

/** Gives the reason in the dialog. */
async function giveReason(page, reason, button) {
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Reason').fill(reason);
  await click(dialog, 'button', button);
}

/** Expects that nobody is signed in, and an admin with this name. */
export async function moderation(page, admin) {
  const eve = await newUser('eve');
  for (const title of ['Looms for sale', 'More looms for sale']) {
    await send('POST', '/posts', { title, content: 'Only today.' }, eve);
  }
  const { id } = await (await send('GET', '/users/me', undefined, eve)).json();

  step('moderation: refused without the role');
  await enter(page, 'eve');
  assert.equal(await page.getByRole('link', { name: 'Audit log', includeHidden: true }).count(), 0, 'the menu has no link');
  await open(page, '/moderation/users');
  await seesHeading(page, 'Not allowed');
  await sees(page.getByText('This operation needs the role admin.'));
  await signOut(page);

  step('moderation: suspend, by keyboard');
  await enter(page, admin);
  await view(page, 'Users');
  await sees(row(page, admin));
  assert.equal(await row(page, admin).getByRole('button').count(), 0, 'an admin cannot suspend themselves');
  const suspend = page.getByRole('button', { name: 'Suspend “eve”' });
  await suspend.press('Enter');
  await checked(page, 'suspend');
  await page.keyboard.press('Escape');
  await gone(page.getByRole('dialog'));
  assert.ok(await focused(suspend), 'the focus is back on the button');
  await suspend.press('Enter');
  await page.goBack();
  await seesHeading(page, 'Posts');
  assert.equal(await page.getByRole('dialog').count(), 0, 'Back closes the dialog');
  await page.goForward();
  await suspend.press('Enter');
  await giveReason(page, 'a'.repeat(501), 'Suspend');
  await sees(page.getByRole('dialog').getByText('Reason must be'));
  const slow = await hold(page, 'PUT', `/users/${id}/suspension`);
  await giveReason(page, 'Advertising', 'Suspend');
  await slow.arrived();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await click(page.getByRole('dialog'), 'button', 'Cancel');
  assert.ok(await page.getByRole('dialog').isVisible(), 'a request under way cannot be cancelled');
  await slow.release();
  await seesNotice(page, 'Suspended eve.');
  await sees(row(page, 'eve').getByText('suspended', { exact: true }));
  assert.ok(await focused(page.getByRole('button', { name: 'Restore “eve”' })), 'the new button has the focus');
  assert.equal((await send('GET', '/users/me', undefined, eve)).status, 401);
  await checked(page, 'users');

  step('moderation: restore on the profile');
  await click(row(page, 'eve'), 'link', 'eve');
  await seesHeading(page, 'eve');
  await sees(page.getByText('No posts to see here.'));
  await click(page, 'button', 'Restore “eve”');
  await giveReason(page, 'A misunderstanding', 'Restore');
  await seesNotice(page, 'Restored eve.');
  await sees(post(page, 'Looms for sale'));
  await checked(page, 'profile');

  step('moderation: delete posts of another user');
  await click(page, 'button', 'Delete “Looms for sale”');
  await giveReason(page, 'Advertising again', 'Delete');
  await gone(post(page, 'Looms for sale'));
  await click(page, 'link', 'More looms for sale');
  await seesHeading(page, 'More looms for sale');
  await click(page, 'button', 'Delete “More looms for sale”');
  // The event that the post is gone arrives before the response.
  await page.route((url) => url.href.startsWith(`${api}/posts/`), async (route) => {
    const response = await route.fetch();
    await gone(page.getByRole('dialog'));
    await route.fulfill({ response });
  }, { times: 1 });
  await giveReason(page, '', 'Delete');
  await seesHeading(page, 'Posts');
  await seesNotice(page, 'Deleted “More looms for sale”.');

  step('moderation: the audit log, with its pages');
  const { accessToken } = await page.evaluate(() => JSON.parse(sessionStorage.getItem('acclaim.session')));
  for (let i = 0; i < 20; i++) {
    await send(i % 2 ? 'DELETE' : 'PUT', `/users/${id}/suspension`, i % 2 ? undefined : {}, accessToken);
  }
  await view(page, 'Audit log');
  const entries = page.getByRole('main').getByRole('listitem');
  assert.equal(await entries.count(), 20);
  await click(page, 'link', 'Next');
  await sees(entries.filter({ hasText: 'Advertising again' }));
  await sees(entries.filter({ hasText: `${admin} deleted the post “Looms for sale”` }));
  await sees(entries.filter({ hasText: `${admin} suspended eve` }));
  await checked(page, 'audit-log');
  await page.goBack();
  // Both pages have entries without a reason.
  await gone(entries.filter({ hasText: 'Advertising again' }));
  await sees(entries.filter({ hasText: 'none given' }).first());
  await signOut(page);
}
