import { h } from '../dom';
import { postList } from '../parts/list';
import { page } from '../parts/page';
import { pathWith } from '../paths';
import type { Visit } from '../router';

/** The user's own drafts. */
export async function draftsView({ query, signal }: Visit): Promise<HTMLElement> {
  const cursor = query.get('cursor') ?? undefined;
  const drafts = await postList(
    { published: false, cursor },
    signal,
    (page) => pathWith('/drafts', { cursor: page }),
    ['You have no drafts. ', h('a', { href: '/new' }, 'Write one')],
  );
  return page('Drafts', h('p', { class: 'lead' }, 'Only you can see these.'), ...drafts);
}
