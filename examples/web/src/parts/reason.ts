import { deletePostOfUser, restoreUser, suspendUser, type Account } from '../calls/moderation';
import type { Post } from '../calls/posts';
import { form } from '../form';
import { notify } from '../notices';
import { ask } from './confirm';

/**
 * Asks for a reason in a dialog and runs `action`, with errors in the dialog. `danger` marks its button. Resolves to
 * the result, or to nothing if the user cancelled. A view that opens meanwhile closes the dialog, and the action goes
 * on: the event of a deletion can arrive before its response.
 */
async function withReason<T>(question: string, consequence: string, label: string, danger: boolean, action: (reason: string) => Promise<T>): Promise<T | undefined> {
  let running: Promise<T> | undefined;
  await ask(question, consequence, (done) =>
    form({
      fields: [{ name: 'reason', label: 'Reason', type: 'area', hint: 'At most 500 characters. Admins see it in the audit log.' }],
      buttons: [label],
      kind: danger ? 'danger' : 'primary',
      submit: async ({ reason }) => {
        running = action(reason);
        await running.catch((failure) => {
          running = undefined;
          throw failure;
        });
        done();
      },
    }),
  );
  return running;
}

/** For staff: deletes a post of another user. Resolves to true if it was deleted. */
export function deleteWithReason({ id, title, owner }: Post): Promise<boolean | undefined> {
  const consequence = 'This permanently deletes the post and its votes. The audit log keeps its title.';
  return withReason(`Delete “${title}” by ${owner.username}?`, consequence, 'Delete', true, async (reason) => {
    await deletePostOfUser(id, reason);
    return true;
  });
}

/**
 * For admins: suspends or restores a user. Resolves to the changed user, or to nothing if the admin
 * cancelled.
 */
export function changeSuspension({ id, username }: Pick<Account, 'id' | 'username'>, suspend: boolean): Promise<Account | undefined> {
  const label = suspend ? 'Suspend' : 'Restore';
  const consequence = suspend
    ? 'The user is signed out and cannot sign in. Tokens stop working and posts are hidden, until you restore the user.'
    : 'The user can sign in again. Tokens work again and posts are back.';
  return withReason(`${label} ${username}?`, consequence, label, suspend, (reason) => (suspend ? suspendUser : restoreUser)(id, reason));
}

/** Reports a change of a suspension. */
export function notifySuspension({ username, suspended_at }: Account): void {
  notify(`${suspended_at ? 'Suspended' : 'Restored'} ${username}.`);
}
