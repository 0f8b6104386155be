import { deletePost, type Post } from './calls/posts';
import { button, byId, h } from './dom';
import { Failure } from './failure';
import { announce, showFailure } from './notices';
import { current, type Session } from './session';

const SECONDS = 10;

interface Deletion {
  post: Post;
  session: Session | undefined;
  /** Shows the post again. */
  restore: () => void;
  timer: number;
}

// The API cannot restore a post, so the request waits for as long as the user can undo it.
let waiting: Deletion | undefined;
const region = byId('undo');

/** Whether the user has deleted the post, although the service still has it. */
export function isDeleted(id: number): boolean {
  return waiting?.post.id === id;
}

/**
 * Deletes a post after 10 seconds, unless the user undoes it. Shows a notice with the button, which gets the
 * focus. Calls `restore` if the post stays. `leave` opens another view, in place of that of the post. An
 * earlier deletion is sent at once.
 */
export async function deleteLater(post: Post, restore: () => void, leave?: () => Promise<void>): Promise<void> {
  void sendNow();
  const undo = button('Undo', 'plain', () => {
    take();
    restore();
    announce(`“${post.title}” is not deleted.`);
  });
  region.replaceChildren(h('p', {}, `Deleted “${post.title}”.`), undo);
  waiting = { post, session: current(), restore, timer: 0 };
  // Someone who uses the keyboard or a pointer gets the time to reach the button and decide.
  const wait = () => {
    window.clearTimeout(waiting?.timer);
    if (waiting && !region.matches(':hover') && !undo.matches(':focus-visible')) {
      waiting.timer = window.setTimeout(sendNow, SECONDS * 1000);
    }
  };
  undo.addEventListener('blur', wait);
  undo.addEventListener('focus', wait);
  region.onpointerenter = wait;
  region.onpointerleave = wait;
  wait();
  await leave?.();
  undo.focus();
}

/** Sends the deletion that waits. */
export async function sendNow({ keepalive = false } = {}): Promise<void> {
  const deletion = take();
  if (!deletion || deletion.session !== current()) return;
  try {
    await deletePost(deletion.post.id, { keepalive });
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    // Gone already, by a moderator or in another tab.
    if (failure.status === 404) return;
    deletion.restore();
    showFailure(failure);
  }
}

/** Ends the wait. */
function take(): Deletion | undefined {
  const deletion = waiting;
  waiting = undefined;
  window.clearTimeout(deletion?.timer);
  region.replaceChildren();
  return deletion;
}

// Closing the page is no undo. A request with `keepalive` outlives it.
window.addEventListener('pagehide', () => void sendNow({ keepalive: true }));
