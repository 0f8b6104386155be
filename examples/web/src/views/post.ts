import { lastPosition } from '../calls/events';
import { getPost } from '../calls/posts';
import { h, link } from '../dom';
import { Failure } from '../failure';
import { follow } from '../live';
import { wholePost } from '../parts/post';
import { showVotes } from '../parts/vote';
import { reload, type Visit } from '../router';
import { isDeleted } from '../undo';
import { notFoundView } from './broken';

/** One post, with all its text, and its votes as they happen. */
export async function postView({ params: [id], signal }: Visit): Promise<HTMLElement> {
  if (isDeleted(Number(id))) return notFoundView(new Failure('You have deleted this post.'));
  const after = await lastPosition(signal);
  const post = await getPost(Number(id), signal);
  const article = wholePost(post);
  follow({ after, post_id: post.id }, signal, ({ kind, votes }) => {
    if (votes !== undefined) showVotes(article, votes);
    // Shows that it is gone.
    if (kind === 'post.deleted') void reload();
  });
  return h('section', {}, article, h('p', { class: 'aside' }, link('/', 'All posts')));
}
