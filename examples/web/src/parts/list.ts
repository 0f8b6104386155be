import { lastPosition, type PostEvent } from '../calls/events';
import { listPosts, type Page, type Post, type PostQuery } from '../calls/posts';
import { button, h } from '../dom';
import { follow } from '../live';
import { pathWith } from '../paths';
import { navigate, type Visit } from '../router';
import { current } from '../session';
import { isDeleted } from '../undo';
import { postCard } from './post';
import { removeRow } from './rows';
import { showVotes } from './vote';

/**
 * The posts that match `filters`: the page with the cursor of the URL, and links to its neighbours. If they are
 * published, it shows votes as they happen, and the number of posts that come before these. `empty` is shown
 * instead of an empty list.
 */
export async function postList({ query, signal }: Visit, filters: PostQuery, ...empty: (Node | string)[]): Promise<{ posts: Post[]; content: HTMLElement[] }> {
  const cursor = query.get('cursor') ?? undefined;
  const after = filters.published ? await lastPosition(signal) : undefined;
  const { items: posts, ...neighbours } = await listPosts({ ...filters, cursor }, signal);
  const cards = new Map(posts.filter(({ id }) => !isDeleted(id)).map((post) => [post, postCard(post)]));
  const news = h('div', { class: 'news', role: 'status' });
  const content = [news, h('div', { class: 'posts' }, ...cards.values()), h('p', { class: 'empty' }, ...empty), ...pager(neighbours, 'cursor')];
  if (!filters.published) return { posts, content };

  // Nothing tells whether a post matches a search, or where it stands in another order.
  const { tag, owner_id, search, voted, sort = 'new' } = filters;
  const isNewest = sort === 'new' && !cursor && !search && !voted;
  const first = posts[0]?.id ?? 0;
  let unseen: PostEvent[] = [];
  const show = button('', 'primary', () => void navigate(location.pathname + location.search));
  follow({ after, tag, owner_id }, signal, (event) => {
    const { kind, post_id: id, owner_id: owner, votes } = event;
    // Without `post_id`, it is about all posts of the owner: the owner was suspended or restored.
    const concerns = (post?: number, by?: number) => (id ? post === id : by === owner);
    if (votes === undefined) unseen = unseen.filter((it) => !concerns(it.post_id, it.owner_id));
    if (kind === 'post.created' || kind === 'post.published') {
      // An older draft that is published now stands among the older posts. The user's own may be a draft.
      if (isNewest && id && id > first && owner !== current()?.user.id) unseen.push(event);
    } else {
      for (const [post, card] of cards) {
        if (!concerns(post.id, post.owner_id)) continue;
        if (votes !== undefined) showVotes(card, votes);
        else if (card.isConnected) removeRow(card, 'a');
      }
    }
    show.textContent = `${unseen.length} new post${unseen.length > 1 ? 's' : ''}`;
    if (!unseen.length) show.remove();
    else if (!show.isConnected) news.append(show);
  });
  return { posts, content };
}

/** Links to the pages before and after this one, if there are any. `name` is that of their start in the URL. */
export function pager({ next, previous }: Pick<Page<Post>, 'next' | 'previous'>, name: 'cursor' | 'skip'): HTMLElement[] {
  if (!next && !previous) return [];
  const query = Object.fromEntries(new URLSearchParams(location.search));
  const link = (start: string | undefined, label: string) =>
    start ? [h('a', { href: pathWith(location.pathname, { ...query, [name]: start }), class: 'plain' }, label)] : [];
  return [h('nav', { class: 'pager', 'aria-label': 'Pages' }, ...link(previous, 'Previous'), ...link(next, 'Next'))];
}
