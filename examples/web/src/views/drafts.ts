import { link } from '../dom';
import { postList } from '../parts/list';
import { lead, page } from '../parts/page';
import type { Visit } from '../router';

/** The user's own drafts. */
export async function draftsView(visit: Visit): Promise<HTMLElement> {
  const { content } = await postList(visit, { published: false }, 'You have no drafts. ', link('/new', 'Write one'));
  return page('Drafts', lead('Only you can see these.'), ...content);
}
