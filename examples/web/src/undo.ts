import { deletePost, type Post } from './calls/posts';
import { button, byId, h } from './dom';
import { asFailure } from './failure';
import { notify, showFailure } from './notices';
import { focusHeading, navigate } from './router';
import { current, type Session } from './session';

const SECONDS = 10;

interface Deletion {
  post: Post;
  session: Session | undefined;
  /** The post in a list. */
  card: HTMLElement | undefined;
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
 * focus. Hides the post's card, or leaves its page if there is none. An earlier deletion is sent at once.
 */
export async function deleteLater(post: Post, card?: HTMLElement): Promise<void> {
  void sendNow();
  const undo = button('Undo', 'plain', async () => {
    take();
    if (!card?.isConnected) return navigate(`/posts/${post.id}`);
    card.hidden = false;
    card.querySelector('a')?.focus();
  });
  region.replaceChildren(h('p', {}, `Deleted “${post.title}”.`), undo);
  waiting = { post, session: current(), card, timer: 0 };
  // There is time enough while the pointer is on the notice, or the focus of the keyboard on the button.
  const wait = () => {
    if (!waiting) return;
    if (region.matches(':hover') || undo.matches(':focus-visible')) {
      window.clearTimeout(waiting.timer);
      waiting.timer = 0;
    } else waiting.timer ||= window.setTimeout(sendNow, SECONDS * 1000);
  };
  undo.onfocus = undo.onblur = region.onpointerenter = region.onpointerleave = wait;
  wait();
  if (card) card.hidden = true;
  else await navigate(post.published ? '/' : '/drafts');
  undo.focus();
}

/** Sends the deletion that waits. */
export async function sendNow({ keepalive = false } = {}): Promise<void> {
  const deletion = take();
  if (!deletion) return;
  if (deletion.session !== current()) return notify(`“${deletion.post.title}” is not deleted.`);
  try {
    await deletePost(deletion.post.id, { keepalive });
  } catch (error) {
    const failure = asFailure(error);
    // Gone already: deleted by a moderator or in another tab.
    if (failure.status === 404) return;
    if (deletion.card) deletion.card.hidden = false;
    failure.message = `“${deletion.post.title}” is not deleted. ${failure.message}`;
    showFailure(failure);
  }
}

/** Ends the wait. */
function take(): Deletion | undefined {
  const deletion = waiting;
  waiting = undefined;
  window.clearTimeout(deletion?.timer);
  const hadFocus = region.contains(document.activeElement);
  region.replaceChildren();
  if (hadFocus) focusHeading();
  return deletion;
}

// Closing the page is no undo. A request with `keepalive` outlives the page.
window.addEventListener('pagehide', () => void sendNow({ keepalive: true }));
