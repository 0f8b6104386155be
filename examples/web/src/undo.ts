import { deletePost, type Post } from './calls/posts';
import { button, byId, h } from './dom';
import { asFailure, Failure } from './failure';
import { showFailure } from './notices';
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
/** Whether the pointer on the notice is a mouse. */
let mouse = false;
/** The posts whose deletion waits or is under way. */
const deleted = new Set<number>();
const region = byId('undo');

/** Whether the user has deleted the post, although the service still has it. */
export function isDeleted(id: number): boolean {
  return deleted.has(id);
}

/**
 * Deletes a post after 10 seconds, unless the user undoes it. Shows a notice with the button, which gets the
 * focus. Hides the post's card, or leaves its page if there is none. An earlier deletion is sent at once.
 */
export async function deleteLater(post: Post, card?: HTMLElement): Promise<void> {
  void sendNow();
  const undo = button('Undo', 'plain', async () => {
    take();
    deleted.delete(post.id);
    if (!card?.isConnected) return navigate(`/posts/${post.id}`);
    card.hidden = false;
    card.querySelector('a')?.focus();
  });
  region.replaceChildren(h('p', {}, `Deleted “${post.title}”.`), undo);
  deleted.add(post.id);
  waiting = { post, session: current(), card, timer: 0 };
  // There is time enough while the mouse is on the notice, or the focus of the keyboard on the button.
  const wait = () => {
    if (!waiting) return;
    if ((mouse && region.matches(':hover')) || undo.matches(':focus-visible')) {
      window.clearTimeout(waiting.timer);
      waiting.timer = 0;
    } else waiting.timer ||= window.setTimeout(sendNow, SECONDS * 1000);
  };
  undo.onfocus = undo.onblur = region.onpointerleave = wait;
  region.onpointerenter = ({ pointerType }) => {
    // After a touch, browsers leave the notice in the state `:hover`.
    mouse = pointerType === 'mouse';
    wait();
  };
  wait();
  const path = post.published ? '/' : '/drafts';
  if (card) card.hidden = true;
  else await navigate(path);
  if (card || location.pathname === path) undo.focus();
}

/** Sends the deletion that waits. Returns false if it failed, and shows the failure. */
export async function sendNow({ keepalive = false } = {}): Promise<boolean> {
  const deletion = take();
  if (!deletion) return true;
  const { post, session, card } = deletion;
  try {
    if (session !== current()) throw new Failure('The session has ended.');
    await deletePost(post.id, { keepalive });
    return true;
  } catch (error) {
    const failure = asFailure(error);
    // Gone already: deleted by a moderator or in another tab.
    if (failure.status === 404) return true;
    if (card) card.hidden = false;
    failure.message = `“${post.title}” is not deleted. ${failure.message}`;
    showFailure(failure);
    return false;
  } finally {
    deleted.delete(post.id);
  }
}

/** Ends the wait. Returns the deletion, which is not sent. */
export function take(): Deletion | undefined {
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
