import { listPosts, type Page, type Post, type PostQuery } from '../calls/posts';
import { h } from '../dom';
import { isDeleted } from '../undo';
import { postCard } from './post';

/**
 * A page of posts with links to its neighbours. `pathOf` returns the path of the view for another page.
 * `empty` is shown instead of an empty list.
 */
export async function postList(query: PostQuery, signal: AbortSignal, pathOf: (cursor: string) => string, empty: (Node | string)[]): Promise<HTMLElement[]> {
  return postCards(await listPosts(query, signal), pathOf, empty);
}

export function postCards(page: Page<Post>, pathOf: (cursor: string) => string, empty: (Node | string)[]): HTMLElement[] {
  const cards = page.items.filter(({ id }) => !isDeleted(id)).map(postCard);
  return [h('div', { class: 'posts' }, ...cards), h('p', { class: 'empty' }, ...empty), ...pager(page, pathOf)];
}

/** Links to the pages before and after this one, if there are any. */
export function pager({ next, previous }: Pick<Page<Post>, 'next' | 'previous'>, pathOf: (cursor: string) => string): HTMLElement[] {
  if (!next && !previous) return [];
  const link = (cursor: string | undefined, label: string) => (cursor ? [h('a', { href: pathOf(cursor), class: 'plain' }, label)] : []);
  return [h('nav', { class: 'pager', 'aria-label': 'Pages' }, ...link(previous, 'Previous'), ...link(next, 'Next'))];
}
