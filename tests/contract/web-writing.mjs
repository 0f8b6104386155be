// Writing, editing and deleting posts on examples/web. Used by web.mjs.
import assert from 'node:assert/strict';
import { DRAFT, POSTS } from './web-content.mjs';
import { checked } from './web-pictures.mjs';
import { api, click, focused, gone, hold, open, openMenu, pathOf, post, request, sees, seesAlert, seesHeading, seesNotice, send, signOut, status, step, storedSession, write } from './web-steps.mjs';

/** Expects a signed-in user and no posts. Ends with the posts of ada. */
export async function newPosts(page) {
  step('a post that the service rejects');
  await open(page, '/');
  await sees(page.getByText('There are no posts yet.'));
  await checked(page, 'no-posts');
  await click(page, 'link', 'New post');
  await send(page, { Tags: 'under_score' }, 'Publish');
  for (const words of ['Title must be 1 to 300 characters.', 'Text must be 1 to 40000 characters.', 'Each tag must have 1 to 30 characters']) await sees(page.getByText(words));
  assert.equal(await page.getByRole('alert').filter({ hasText: /./ }).count(), 0, 'each error is said once');
  await checked(page, 'new-refused');

  step('what was not sent is kept');
  await page.getByLabel('Title').fill('Half a thought');
  await click(page, 'link', 'Posts');
  await seesHeading(page, 'Posts');
  await click(page, 'link', 'New post');
  await sees(page.getByText('You did not send this yet.'));
  assert.equal(await page.getByLabel('Title').inputValue(), 'Half a thought');
  await checked(page, 'new-kept');
  await click(page, 'button', 'Discard');
  assert.equal(await page.getByLabel('Title').inputValue(), '');
  await page.reload();
  await seesHeading(page, 'New post');
  assert.equal(await page.getByLabel('Title').inputValue(), '', 'it does not come back');

  step('posts, each with its own path and tags');
  const [first, second] = POSTS.ada;
  await write(page, { ...first, tags: ['#Engines,', 'notes'] });
  await seesNotice(page, `Published “${first.title}”.`);
  assert.match(await pathOf(page), /^\/posts\/\d+$/);
  const tags = page.getByRole('list', { name: 'Tags' }).getByRole('link');
  assert.deepEqual(await tags.allTextContents(), first.tags);
  await write(page, second);
  assert.equal((await request(page, 'GET', await pathOf(page))).content, second.content);
}

/** Expects ada and her posts. Ends with her draft. */
export async function drafts(page) {
  step('a draft, which only its owner sees, and markup stays text');
  const title = '<i>Note H</i>';
  await write(page, { title, content: 'Not for <b>anyone</b> yet.' }, 'Save as draft');
  await seesNotice(page, 'Only you can see it.');
  await sees(post(page, title).getByText('Draft', { exact: true }));
  await open(page, '/');
  await sees(page.getByRole('article').first());
  assert.equal(await post(page, title).count(), 0, 'it is not in the feed');
  await click(page, 'link', 'Drafts');
  await seesHeading(page, 'Drafts');
  await checked(page, 'drafts');
  await click(post(page, title), 'button', `Publish “${title}”`);
  await seesNotice(page, `Published “${title}”.`);
  await seesHeading(page, title);
  assert.equal(await page.getByText('Draft', { exact: true }).count(), 0);
  await request(page, 'DELETE', await pathOf(page));
  await write(page, DRAFT, 'Save as draft');
}

/** Expects ada and her posts. Leaves them as they are. */
export async function edits(page) {
  const { title, content, tags } = POSTS.ada[1];
  step('an edit changes only what the user changed');
  await open(page, '/');
  await click(post(page, title), 'link', `Edit “${title}”`);
  await seesHeading(page, 'Edit post');
  assert.equal(await page.getByLabel('Text').inputValue(), content);
  await checked(page, 'edit');
  const path = (await pathOf(page)).replace('/edit', '');
  await request(page, 'PATCH', path, { tags: ['changed-elsewhere'] });
  await send(page, { Title: 'A table' }, 'Save');
  await seesHeading(page, 'A table');
  await sees(page.getByText('edited'));
  assert.deepEqual((await request(page, 'GET', path)).tags, ['changed-elsewhere']);
  await request(page, 'PATCH', path, { title, tags });

  step('an edit that was not sent is kept');
  await open(page, `${path}/edit`);
  await page.getByLabel('Text').fill('Half an edit');
  await request(page, 'PATCH', path, { tags: ['changed-elsewhere'] });
  await page.reload();
  await sees(page.getByText('You did not send this yet.'));
  assert.equal(await page.getByLabel('Text').inputValue(), 'Half an edit');
  assert.equal(await page.getByLabel('Tags').inputValue(), 'changed-elsewhere', 'only what was typed is kept');
  await click(page, 'button', 'Discard');
  assert.equal(await page.getByLabel('Text').inputValue(), content);

  step('an edit that ends after its view was left opens no other view');
  const slow = await hold(page, 'PATCH', path);
  await send(page, { Title: 'A table' }, 'Save');
  await slow.arrived();
  await click(page, 'link', 'Drafts');
  await seesHeading(page, 'Drafts');
  await slow.release();
  await seesNotice(page, 'Saved “A table”.');
  assert.equal(await pathOf(page), '/drafts');
  await request(page, 'PATCH', path, { title, tags });
}

/** Expects grace and the posts of ada, whose first one has this path. */
export async function othersPosts(page, path) {
  step('posts of others cannot be changed');
  await open(page, path);
  await seesHeading(page, POSTS.ada[0].title);
  assert.equal(await page.getByRole('button', { name: 'Delete' }).count(), 0);
  await open(page, `${path}/edit`);
  await seesHeading(page, 'Not found');
  await sees(page.getByText('Only its owner can edit a post.'));
}

const undo = (page) => page.getByRole('status').getByRole('button', { name: 'Undo' });

/** Writes a post without the page, and opens the view for `path` of its id. */
async function doomed(page, title, path, more = {}) {
  const { id } = await request(page, 'POST', '/posts', { title, content: 'Not for long.', ...more });
  await open(page, path(id));
  await sees(post(page, title));
  return `/posts/${id}`;
}

const feed = () => '/';
const own = (id) => `/posts/${id}`;

/** Expects ada. Stops the clock of the page. Ends at the sign-in. */
export async function deletions(page) {
  await page.clock.install();

  step('a deletion can be undone');
  const title = 'A slip of the pen';
  const path = await doomed(page, title, feed);
  // With the keyboard, which stops the time for the checks.
  await post(page, title).getByRole('button', { name: `Delete “${title}”` }).press('Enter');
  await seesNotice(page, `Deleted “${title}”.`);
  await post(page, title).waitFor({ state: 'hidden' });
  await checked(page, 'undo');
  assert.ok(await focused(undo(page)), 'the button has the focus');
  await page.keyboard.press('Enter');
  await sees(post(page, title));
  assert.ok(await focused(page.getByRole('link', { name: title, exact: true })), 'the focus is on the post');

  step('and undone on another view');
  // From here on, the time of the page moves only with `fastForward`.
  await page.clock.pauseAt(Date.now() + 60_000);
  await open(page, path);
  await click(page, 'button', `Delete “${title}”`);
  await seesHeading(page, 'Posts');
  assert.equal(await post(page, title).count(), 0, 'the feed does not have it');
  await click(page, 'link', 'Drafts');
  await seesHeading(page, 'Drafts');
  await undo(page).click();
  await seesHeading(page, title);

  step('it is sent after ten seconds');
  await click(page, 'button', `Delete “${title}”`);
  await seesHeading(page, 'Posts');
  await page.clock.fastForward(9_000);
  await page.goBack();
  await sees(page.getByText('You have deleted this post.'));
  assert.equal(await status(page, path), 200);
  const slow = await hold(page, 'DELETE', path);
  const sent = deleted(page);
  await page.clock.fastForward(1_000);
  await slow.arrived();
  await click(page, 'link', 'Posts');
  await seesHeading(page, 'Posts');
  assert.equal(await post(page, title).count(), 0, 'the feed does not have it while the request is under way');
  await slow.release();
  assert.equal((await sent).status(), 204);
  await gone(undo(page));
  assert.equal(await status(page, path), 404);

  step('the time stops while the keyboard is on Undo');
  const second = await doomed(page, title, feed);
  await post(page, title).getByRole('button', { name: `Delete “${title}”` }).press('Enter');
  await sees(undo(page));
  await page.clock.fastForward(60_000);
  assert.equal(await status(page, second), 200);
  const left = deleted(page);
  await page.keyboard.press('Shift+Tab');
  await page.clock.fastForward(10_000);
  assert.equal((await left).status(), 204);

  step('a deletion that the service refuses is taken back');
  const third = await doomed(page, title, feed);
  const refused = await hold(page, 'DELETE', third);
  await click(post(page, title), 'button', `Delete “${title}”`);
  await sees(undo(page));
  await page.clock.fastForward(10_000);
  await refused.fail();
  await seesAlert(page, `“${title}” is not deleted. The database cannot be reached.`);
  await sees(post(page, title));

  step('the next deletion sends the one before');
  await doomed(page, 'Another slip', feed);
  await click(post(page, title), 'button', `Delete “${title}”`);
  const before = deleted(page);
  await click(post(page, 'Another slip'), 'button', 'Delete “Another slip”');
  assert.equal((await before).url(), api + third);
  await undo(page).click();

  step('a deletion that the service refuses stops the sign-out');
  const fourth = await doomed(page, title, own);
  const kept = await hold(page, 'DELETE', fourth);
  await click(page, 'button', `Delete “${title}”`);
  await seesHeading(page, 'Posts');
  await openMenu(page);
  await click(page, 'button', 'Sign out');
  await kept.fail();
  await seesAlert(page, `“${title}” is not deleted. The database cannot be reached.`);
  assert.equal(await status(page, fourth), 200, 'the user is signed in, and the post is there');

  step('it is sent at sign-out');
  await open(page, fourth);
  await click(page, 'button', `Delete “${title}”`);
  await sees(undo(page));
  const last = deleted(page);
  await signOut(page);
  assert.equal((await last).status(), 204);
}

/** The response to the next deletion. */
const deleted = (page) => page.waitForResponse((response) => response.request().method() === 'DELETE');

/** Expects ada on a page without routes: a request that outlives the page cannot pass through them. Closes the page. */
export async function deletionAtClose(page) {
  step('a deletion is sent when the page is closed');
  const title = 'One more slip';
  const path = await doomed(page, title, own);
  const { accessToken } = await storedSession(page);
  await click(page, 'button', `Delete “${title}”`);
  await sees(undo(page));
  await page.close({ runBeforeUnload: true });
  // The page is gone, so nothing reports the request.
  const end = Date.now() + 10_000;
  while ((await status(undefined, path, accessToken)) !== 404) {
    assert.ok(Date.now() < end, 'the post is gone within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
