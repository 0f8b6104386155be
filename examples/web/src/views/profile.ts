import { getUser, type User } from '../calls/moderation';
import { h } from '../dom';
import { actionButton } from '../parts/action';
import { postList } from '../parts/list';
import { page, panel } from '../parts/page';
import { changeSuspension, notifySuspension } from '../parts/reason';
import { timeElement } from '../parts/time';
import { pathWith } from '../paths';
import { reload, type Visit } from '../router';
import { current } from '../session';

/** A user's public page, with the user's posts. */
export async function profileView({ params: [id], query, signal }: Visit): Promise<HTMLElement> {
  const cursor = query.get('cursor') ?? undefined;
  const [user, posts] = await Promise.all([
    getUser(Number(id), signal),
    postList(
      { published: true, owner_id: Number(id), cursor },
      signal,
      (start) => pathWith(`/users/${id}`, { cursor: start }),
      ['No posts to see here.'],
    ),
  ]);
  const viewer = current()?.user;
  const joined = h('p', { class: 'lead' }, 'Joined ', timeElement(user.created_at), '.');
  if (viewer?.id === user.id) joined.append(' This is you: ', h('a', { href: '/account' }, 'your account'), ', ', h('a', { href: '/drafts' }, 'your drafts'), '.');
  return page(user.username, joined, ...(viewer?.role === 'admin' && viewer.id !== user.id ? [moderation(user)] : []), ...posts);
}

/** For admins. */
function moderation(user: User): HTMLElement {
  const { suspended_at: since, username } = user;
  const change = actionButton(since ? 'Restore' : 'Suspend', 'plain', username, async () => {
    const changed = await changeSuspension(user, !since);
    if (!changed) return;
    await reload();
    notifySuspension(changed);
  });
  const state = since ? ['Suspended ', timeElement(since), '. Nobody sees the posts.'] : ['Not suspended.'];
  return panel('Moderation', h('p', {}, ...state), change);
}
