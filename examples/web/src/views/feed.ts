import type { PostQuery } from '../calls/posts';
import { h, link, ul } from '../dom';
import { postList } from '../parts/list';
import { feedPath, type FeedQuery } from '../paths';
import { navigate, type Visit } from '../router';
import { current } from '../session';

type Sort = NonNullable<PostQuery['sort']>;
const SORTS: [Sort, string][] = [
  ['new', 'New'],
  ['hot', 'Hot'],
  ['top', 'Top'],
  ['old', 'Old'],
];

/** All published posts, or those that match the query. The service checks the values. */
export async function feedView(visit: Visit): Promise<HTMLElement> {
  const { cursor: _, ...filters }: FeedQuery = Object.fromEntries(visit.query);
  if (filters.voted !== 'true') delete filters.voted;
  const { sort, search, tag, owner, voted } = filters;
  const match = { search, tag, owner_id: owner ? Number(owner) : undefined, voted: voted ? true : undefined };
  const empty =
    search || tag || owner || voted
      ? ['No post matches. ', link('/', 'All posts')]
      : ['There are no posts yet. ', link('/new', 'Write the first one')];
  const { posts, content } = await postList(visit, { published: true, sort: sort as Sort | undefined, ...match }, ...empty);
  const author = posts[0]?.owner.username ?? `user ${owner}`;
  const head = h('div', { class: 'head' }, h('h1', {}, headingOf(filters, author)), ...chips(filters, author));
  const tools = h('div', { class: 'tools' }, searchForm(filters), orders(filters));
  return h('section', { class: 'feed' }, head, tools, ...content);
}

function headingOf({ search, tag, owner, voted }: FeedQuery, author: string): string {
  if (search) return `Posts with “${search}”`;
  if (tag) return `Posts tagged ${tag}`;
  if (owner) return `Posts by ${author}`;
  return voted ? 'Posts you voted for' : 'Posts';
}

function searchForm(filters: FeedQuery): HTMLElement {
  const input = h('input', { id: 'search', type: 'search', autocomplete: 'off', maxlength: 1000, placeholder: 'Words in title or text', value: filters.search ?? '' });
  const element = h(
    'form',
    { role: 'search', class: 'search' },
    h('label', { for: 'search', class: 'visually-hidden' }, 'Search the posts'),
    input,
    h('button', { class: 'plain' }, 'Search'),
  );
  // Without an order, the best match comes first.
  const { sort: _, ...others } = filters;
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    void navigate(feedPath({ ...others, search: input.value.trim() }));
  });
  return element;
}

function orders(filters: FeedQuery): HTMLElement {
  const first: [string, string][] = filters.search ? [['', 'Best']] : [];
  const choices = [...first, ...SORTS];
  const chosen = choices.find(([value]) => value === filters.sort) ?? choices[0];
  const links = choices.map(([sort, label]) => {
    // `new` is the order without a search, so its URL is the plain one.
    const path = feedPath({ ...filters, sort: sort === 'new' && !filters.search ? '' : sort });
    return h('a', { href: path, 'aria-current': sort === chosen?.[0] && 'true' }, label);
  });
  return h('nav', { class: 'sort', 'aria-label': 'Order' }, ul({}, links));
}

/** The filters as links that remove them, and the filter by own votes. */
function chips(filters: FeedQuery, author: string): HTMLElement[] {
  const labels: [keyof FeedQuery, string][] = [
    ['search', `Words: ${filters.search}`],
    ['tag', `Tag: ${filters.tag}`],
    ['owner', `By ${author}`],
    ['voted', 'Your votes'],
  ];
  const items = labels
    .filter(([name]) => filters[name])
    .map(([name, label]) => h('a', { class: 'chip', href: feedPath({ ...filters, [name]: '' }), 'aria-label': `Remove the filter “${label}”` }, label));
  if (current() && !filters.voted) items.push(h('a', { class: 'tag', href: feedPath({ ...filters, voted: 'true' }) }, 'Your votes'));
  return items.length > 0 ? [ul({ class: 'filters', 'aria-label': 'Filters' }, items)] : [];
}
