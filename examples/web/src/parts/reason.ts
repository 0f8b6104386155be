import { deletePostOfUser, restoreUser, suspendUser, type Account } from '../calls/moderation';
import type { Post } from '../calls/posts';
import { Failure } from '../failure';
import { form } from '../form';
import { notify } from '../notices';
import { ask, cancelButton } from './confirm';

interface Action {
  question: string;
  consequence: string;
  /** The button that does it. */
  yes: { buttons: string[]; kind: string };
  run: (reason: string) => Promise<void>;
}

/**
 * Asks for a reason in a dialog and runs the action. Shows its errors in the dialog. Resolves to true if it
 * was done, to false if the user cancelled.
 */
function withReason({ question, consequence, yes, run }: Action): Promise<boolean> {
  return ask(question, consequence, (close) => {
    const body = form({
      fields: [{ name: 'reason', label: 'Reason', type: 'area', hint: 'At most 500 characters. Admins see it in the audit log.' }],
      ...yes,
      submit: async ({ reason }) => {
        try {
          await run(reason);
          close(true);
        } catch (failure) {
          // The page shows the sign-in by now.
          if (failure instanceof Failure && failure.endedSession) close(false);
          throw failure;
        }
      },
    });
    body.querySelector('.actions')?.prepend(cancelButton(close));
    return body;
  });
}

/** For staff: deletes a post of another user. Resolves to true if it was deleted. */
export function deleteWithReason({ id, title, owner }: Post): Promise<boolean> {
  return withReason({
    question: `Delete “${title}” by ${owner.username}?`,
    consequence: 'This permanently deletes the post and its votes. The audit log keeps its title.',
    yes: { buttons: ['Delete'], kind: 'danger' },
    run: (reason) => deletePostOfUser(id, reason),
  });
}

/**
 * For admins: suspends or restores a user. Resolves to the changed user, or to nothing if the admin
 * cancelled.
 */
export async function changeSuspension({ id, username }: Pick<Account, 'id' | 'username'>, suspend: boolean): Promise<Account | undefined> {
  let account: Account | undefined;
  const label = suspend ? 'Suspend' : 'Restore';
  const consequence = suspend
    ? 'The user is signed out and cannot sign in. Tokens stop working and posts are hidden, until you restore the user.'
    : 'The user can sign in again. Tokens work again and posts are back.';
  const run = async (reason: string) => {
    account = await (suspend ? suspendUser : restoreUser)(id, reason);
  };
  await withReason({ question: `${label} ${username}?`, consequence, yes: { buttons: [label], kind: suspend ? 'danger' : 'primary' }, run });
  return account;
}

/** Reports a change of a suspension. */
export function notifySuspension({ username, suspended_at }: Account): void {
  notify(`${suspended_at ? 'Suspended' : 'Restored'} ${username}.`);
}
