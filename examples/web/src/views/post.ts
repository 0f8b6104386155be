import { getPost } from '../calls/posts';
import { h, link } from '../dom';
import { Failure } from '../failure';
import { wholePost } from '../parts/post';
import type { Visit } from '../router';
import { isDeleted } from '../undo';
import { notFoundView } from './broken';

/** One post, with all its text. */
export async function postView({ params: [id], signal }: Visit): Promise<HTMLElement> {
  if (isDeleted(Number(id))) return notFoundView(new Failure('You have deleted this post.'));
  const post = await getPost(Number(id), signal);
  return h('section', {}, wholePost(post), h('p', { class: 'aside' }, link('/', 'All posts')));
}
