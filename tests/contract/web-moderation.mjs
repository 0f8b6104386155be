// Moderation on examples/web. Used by web.mjs.
import assert from 'node:assert/strict';
import { PASSWORD, api, click, post, sees, seesHeading, seesNotice, signIn, step, view } from './web-steps.mjs';
import { checked } from './web-pictures.mjs';

const row = (page, name) => page.getByRole('main').getByRole('listitem').filter({ has: page.getByRole('link', { name, exact: true }) });

async function withReason(page, reason, button) {
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Reason').fill(reason);
  await click(dialog, 'button', button);
}

/** Expects a signed-in user without a role. */
export async function moderationIsForStaff(page) {
  step('moderation: refused without the role');
  assert.equal(await page.getByRole('banner').getByRole('link', { name: 'Audit log', includeHidden: true }).count(), 0);
  await page.goto(new URL('/moderation/users', page.url()).href);
  await sees(page.getByText('This operation needs the role admin.'));
}
