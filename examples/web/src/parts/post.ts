import { updatePost, type Post } from '../calls/posts';
import { button, h, link, ul } from '../dom';
import { notify } from '../notices';
import { feedPath } from '../paths';
import { finish, navigate } from '../router';
import { current } from '../session';
import { deleteLater } from '../undo';
import { actionButton } from './action';
import { deleteWithReason } from './reason';
import { removeRow } from './rows';
import { timeElement } from './time';
import { voteButton } from './vote';

/** Characters and lines of a text above which a list folds it, and those that stay visible. */
const LONG = { characters: 500, lines: 8 };
const FOLDED = { characters: 280, lines: 4 };

/** A post in a list: a link to its page, and its text, folded if it is long. */
export function postCard(post: Post): HTMLElement {
  const id = `post-${post.id}`;
  const element = h('article', { class: 'post', 'aria-labelledby': id }, ...voteOf(post));
  element.append(h('div', { class: 'words' }, h('h2', { id }, link(`/posts/${post.id}`, post.title)), metaOf(post), foldedText(post), footOf(post, element)));
  return element;
}

/** A post on its own page. */
export function wholePost(post: Post): HTMLElement {
  const text = h('p', { class: 'content' }, post.content);
  const words = h('div', { class: 'words' }, h('h1', { id: 'title' }, post.title), metaOf(post), text, footOf(post));
  return h('article', { class: 'post whole', 'aria-labelledby': 'title' }, ...voteOf(post), words);
}

/** A draft has no votes, because nobody else can see it. */
function voteOf(post: Post): HTMLElement[] {
  return post.published ? [voteButton(post)] : [];
}

function metaOf(post: Post): HTMLElement {
  const author = h('a', { class: 'author', href: `/users/${post.owner_id}` }, post.owner.username);
  const meta = h('p', { class: 'meta' }, author, timeElement(post.created_at));
  if (post.version > 1) meta.append(h('span', {}, 'edited'));
  if (!post.published) meta.append(h('span', { class: 'badge' }, 'Draft'));
  return meta;
}

function footOf(post: Post, card?: HTMLElement): HTMLElement {
  return h('div', { class: 'foot' }, ...tagsOf(post), ...actionsOf(post, card));
}

function tagsOf({ tags }: Post): HTMLElement[] {
  if (tags.length === 0) return [];
  const links = tags.map((tag) => h('a', { class: 'tag', href: feedPath({ tag }) }, tag));
  return [ul({ class: 'tags', 'aria-label': 'Tags' }, links)];
}

/** What the user may do with the post. `card` is its element in a list. */
function actionsOf(post: Post, card?: HTMLElement): HTMLElement[] {
  const { id, title } = post;
  const user = current()?.user;
  if (post.owner_id !== user?.id) {
    const moderates = user?.role === 'moderator' || user?.role === 'admin';
    return moderates ? [h('div', { class: 'own' }, actionButton('Delete', 'quiet', title, () => moderate(post, card)))] : [];
  }
  const edit = h('a', { href: `/posts/${id}/edit`, class: 'quiet', 'aria-label': `Edit “${title}”` }, 'Edit');
  const publish: HTMLElement = actionButton('Publish', 'quiet', title, async () => {
    await updatePost(id, { published: true });
    await finish(publish, `/posts/${id}`, `Published “${title}”.`);
  });
  const remove = actionButton('Delete', 'quiet', title, () => deleteLater(post, card));
  return [h('div', { class: 'own' }, ...(post.published ? [] : [publish]), edit, remove)];
}

/** Deletes the post of another user, at once. */
async function moderate(post: Post, card?: HTMLElement): Promise<void> {
  if (!(await deleteWithReason(post))) return;
  if (card) removeRow(card, 'a');
  else await navigate('/');
  notify(`Deleted “${post.title}”.`);
}

/** The text, or its start with a button for the rest. */
function foldedText({ title, content }: Post): HTMLElement {
  const text = h('p', { class: 'content' }, content);
  const lines = content.split('\n');
  if (content.length <= LONG.characters && lines.length <= LONG.lines) return text;
  const visible = lines.slice(0, FOLDED.lines).join('\n').slice(0, FOLDED.characters);
  // Ends after a sentence, or else before the word that the fold would cut.
  const sentence = visible.lastIndexOf('. ') + 1;
  const start = `${visible.slice(0, sentence > FOLDED.characters / 2 ? sentence : visible.search(/\s+\S*$/))}\u00a0…`;
  const toggle = button('', 'unfold', () => show(toggle.ariaExpanded !== 'true'));
  function show(all: boolean): void {
    text.textContent = all ? content : start;
    toggle.textContent = all ? 'Show less' : 'Show all';
    toggle.ariaLabel = `${toggle.textContent} of “${title}”`;
    toggle.ariaExpanded = String(all);
  }
  show(false);
  return h('div', {}, text, toggle);
}
