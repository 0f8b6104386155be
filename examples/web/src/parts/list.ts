import { listPosts, type Page, type Post, type PostQuery } from '../calls/posts';
import { h } from '../dom';
import { pathWith } from '../paths';
import type { Visit } from '../router';
import { isDeleted } from '../undo';
import { postCard } from './post';

/** The posts that match `filters`: the page with the cursor of the URL. `empty` is shown instead of an empty list. */
export async function postList({ query, signal }: Visit, filters: PostQuery, ...empty: (Node | string)[]): Promise<HTMLElement[]> {
  return postCards(await listPosts({ ...filters, cursor: query.get('cursor') ?? undefined }, signal), empty);
}

/** A page of posts with links to its neighbours. */
export function postCards(page: Page<Post>, empty: (Node | string)[]): HTMLElement[] {
  const cards = page.items.filter(({ id }) => !isDeleted(id)).map(postCard);
  return [h('div', { class: 'posts' }, ...cards), h('p', { class: 'empty' }, ...empty), ...pager(page, 'cursor')];
}

/** Links to the pages before and after this one, if there are any. `name` is that of their start in the URL. */
export function pager({ next, previous }: Pick<Page<Post>, 'next' | 'previous'>, name: 'cursor' | 'skip'): HTMLElement[] {
  if (!next && !previous) return [];
  const query = Object.fromEntries(new URLSearchParams(location.search));
  const link = (start: string | undefined, label: string) =>
    start ? [h('a', { href: pathWith(location.pathname, { ...query, [name]: start }), class: 'plain' }, label)] : [];
  return [h('nav', { class: 'pager', 'aria-label': 'Pages' }, ...link(previous, 'Previous'), ...link(next, 'Next'))];
}
