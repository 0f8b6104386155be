import { setVote, type Post } from '../calls/posts';
import { button, h } from '../dom';
import { asFailure } from '../failure';
import { clear, showFailure } from '../notices';
import { navigate, signInPath } from '../router';
import { current } from '../session';

/** What each button does with the number of votes in an event. */
const updates = new WeakMap<Element, (votes: number) => void>();

/** Shows the present number of votes of a post, if it has a button for them. */
export function showVotes(post: HTMLElement, votes: number): void {
  const element = post.querySelector('.vote');
  if (element) updates.get(element)?.(votes);
}

/** Shows the vote at once, sends it, and takes it back if the service refuses it. */
export function voteButton(post: Post): HTMLElement {
  /** The state that the service confirmed last. */
  let { votes, voted } = post;
  let wanted = voted;
  let sending = false;
  /** From an event during a request. The event of the user's own vote comes before or after its response. */
  let latest: number | undefined;
  const count = h('span', { class: 'count' });
  const element = button('', 'vote', () => {
    if (!current()) return void navigate(signInPath());
    clear();
    wanted = !wanted;
    show();
    void send();
  });
  element.append(h('span', { class: 'arrow', 'aria-hidden': 'true' }), count);
  updates.set(element, (now) => {
    if (sending) latest = now;
    else votes = now;
    show();
  });

  /** Sends one request at a time, so that the last click wins. */
  async function send(): Promise<void> {
    if (sending) return;
    sending = true;
    try {
      while (wanted !== voted) ({ votes, voted } = await setVote(post.id, wanted));
    } catch (failure) {
      wanted = voted;
      showFailure(asFailure(failure));
    } finally {
      sending = false;
      votes = latest ?? votes;
      latest = undefined;
      show();
    }
  }

  function show(): void {
    const total = votes + Number(wanted) - Number(voted);
    count.textContent = String(total);
    // The button has the focus, so screen readers announce its new state and name.
    element.ariaPressed = String(wanted);
    element.ariaLabel = `Vote for “${post.title}”, ${total === 1 ? '1 vote' : `${total} votes`}`;
  }
  show();
  return element;
}
