import { deletePost, publishPost, setVote, type Post } from '../client';
import { button, h } from '../dom';
import { Failure } from '../failure';
import { announce, clear, notify, showFailure } from '../notices';
import { current } from '../session';
import { confirmed } from './confirm';

const dates = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' });

type Removed = (element: HTMLElement) => void;

/** One post of the feed. Calls `removed` with the element after its owner has deleted the post. */
export function postView(post: Post, removed: Removed): HTMLElement {
  const id = `post-${post.id}`;
  const meta = h(
    'p',
    { class: 'meta' },
    h('span', { class: 'author' }, post.owner.username),
    h('time', { datetime: post.created_at }, dates.format(new Date(post.created_at))),
  );
  if (!post.published) meta.append(h('span', { class: 'badge' }, 'Draft'));
  const words = h(
    'div',
    { class: 'words' },
    h('h2', { id, tabindex: -1 }, post.title),
    meta,
    h('p', { class: 'content' }, post.content),
  );
  const element = h('article', { class: 'post', 'aria-labelledby': id }, voteButton(post), words);
  if (post.owner_id === current()?.user.id) meta.append(ownerActions(post, element, removed));
  return element;
}

function voteButton(post: Post): HTMLElement {
  let { votes, voted } = post;
  const count = h('span', { class: 'count' });
  const element = button('', 'vote', once(async () => {
    ({ votes, voted } = await setVote(post.id, !voted));
    show();
    announce(`${voted ? 'Voted.' : 'Vote removed.'} ${counted(votes)}.`);
  }));
  element.append(h('span', { class: 'arrow', 'aria-hidden': 'true' }), count);

  function show(): void {
    count.textContent = String(votes);
    element.ariaPressed = String(voted);
    element.ariaLabel = `Vote for “${post.title}”, ${counted(votes)}`;
  }
  show();
  return element;
}

function ownerActions(post: Post, element: HTMLElement, removed: Removed): HTMLElement {
  const actions = h('span', { class: 'own' });
  if (!post.published) {
    const publish = button('Publish', 'quiet', once(async () => {
      const fresh = postView(await publishPost(post.id), removed);
      element.replaceWith(fresh);
      fresh.querySelector('h2')?.focus();
      notify(`Published “${post.title}”.`);
    }));
    publish.ariaLabel = `Publish “${post.title}”`;
    actions.append(publish);
  }
  const remove = button('Delete', 'quiet', once(async () => {
    if (!(await confirmed(`Delete “${post.title}”?`, 'This permanently deletes the post and its votes.', 'Delete'))) return;
    await deletePost(post.id);
    removed(element);
    notify(`Deleted “${post.title}”.`);
  }));
  remove.ariaLabel = `Delete “${post.title}”`;
  actions.append(remove);
  return actions;
}

/** Runs `action` unless it is already running, and shows its failure. */
function once(action: () => Promise<void>): () => Promise<void> {
  let busy = false;
  return async () => {
    if (busy) return;
    busy = true;
    clear();
    try {
      await action();
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      showFailure(failure);
    } finally {
      busy = false;
    }
  };
}

function counted(votes: number): string {
  return votes === 1 ? '1 vote' : `${votes} votes`;
}
