import { getPost } from '../calls/posts';
import { h } from '../dom';
import { wholePost } from '../parts/post';
import type { Visit } from '../router';

/** One post, with all its text. */
export async function postView({ params: [id], signal }: Visit): Promise<HTMLElement> {
  const post = await getPost(Number(id), signal);
  return h('section', {}, wholePost(post), h('p', { class: 'aside' }, h('a', { href: '/' }, 'All posts')));
}
