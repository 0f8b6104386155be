import { getUser, type User } from '../calls/moderation';
import { h, link } from '../dom';
import { actionButton } from '../parts/action';
import { postList } from '../parts/list';
import { lead, page, panel } from '../parts/page';
import { changeSuspension, notifySuspension } from '../parts/reason';
import { timeElement } from '../parts/time';
import { reload, type Visit } from '../router';
import { current } from '../session';

/** A user's public page, with the user's posts. */
export async function profileView(visit: Visit): Promise<HTMLElement> {
  const id = Number(visit.params[0]);
  const [user, { content }] = await Promise.all([
    getUser(id, visit.signal),
    postList(visit, { published: true, owner_id: id }, 'No posts to see here.'),
  ]);
  const viewer = current()?.user;
  const joined = lead('Joined ', timeElement(user.created_at), '.');
  if (viewer?.id === user.id) joined.append(' This is you: ', link('/account', 'your account'), ', ', link('/drafts', 'your drafts'), '.');
  return page(user.username, joined, ...(viewer?.role === 'admin' && viewer.id !== user.id ? [moderation(user)] : []), ...content);
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
