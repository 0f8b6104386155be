import { listUsers, type Account } from '../../calls/moderation';
import { h, link } from '../../dom';
import { actionButton } from '../../parts/action';
import { pager } from '../../parts/list';
import { page } from '../../parts/page';
import { changeSuspension, notifySuspension } from '../../parts/reason';
import { list, row } from '../../parts/rows';
import { timeElement } from '../../parts/time';
import type { Visit } from '../../router';
import { current } from '../../session';
import { moderationTabs } from './tabs';

/** For admins: the users, in the order of their sign-ups. */
export async function usersView({ query, signal }: Visit): Promise<HTMLElement> {
  const users = await listUsers(query, signal);
  return page(
    'Users',
    moderationTabs(),
    list(users.items.map(userRow), 'There are no users on this page.'),
    ...pager(users, 'skip'),
  );
}

function userRow(user: Account): HTMLElement {
  const name: Node[] = [link(`/users/${user.id}`, user.username)];
  if (user.role !== 'user') name.push(h('span', { class: 'badge' }, user.role));
  const facts: [string, Node][] = [['Joined', timeElement(user.created_at)]];
  if (user.suspended_at) {
    name.push(h('span', { class: 'badge warning' }, 'suspended'));
    facts.push(['Suspended', timeElement(user.suspended_at)]);
  }
  const suspend = !user.suspended_at;
  const action = actionButton(suspend ? 'Suspend' : 'Restore', 'plain', user.username, async () => {
    const changed = await changeSuspension(user, suspend);
    if (!changed) return;
    const fresh = userRow(changed);
    item.replaceWith(fresh);
    fresh.querySelector('button')?.focus();
    notifySuspension(changed);
  });
  // The service refuses to suspend oneself.
  const item = row(name, facts, ...(user.id === current()?.user.id ? [] : [action]));
  return item;
}
