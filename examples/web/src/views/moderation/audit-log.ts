import { listAuditLog, type AuditEntry } from '../../calls/moderation';
import { link } from '../../dom';
import { pager } from '../../parts/list';
import { page } from '../../parts/page';
import { list, row } from '../../parts/rows';
import { exactTimeElement } from '../../parts/time';
import type { Visit } from '../../router';
import { moderationTabs } from './tabs';

/** For admins: the actions of moderators, admins and operators, newest first. */
export async function auditLogView({ query, signal }: Visit): Promise<HTMLElement> {
  const entries = await listAuditLog(query, signal);
  return page(
    'Audit log',
    moderationTabs(),
    list(entries.items.map(entryRow), entries.previous ? 'There are no entries on this page.' : 'Nothing has been moderated yet.'),
    ...pager(entries, 'skip'),
  );
}

const VERBS: Record<string, string> = {
  delete_post: 'deleted the post',
  suspend_user: 'suspended',
  restore_user: 'restored',
  change_role: 'changed the role of',
  create_token: 'created a token for',
};

function entryRow(entry: AuditEntry): HTMLElement {
  const actor = entry.actor_id ? link(`/users/${entry.actor_id}`, entry.actor) : entry.actor;
  const subject = entry.action === 'delete_post' ? `“${entry.subject}”` : link(`/users/${entry.subject_id}`, entry.subject);
  const name = [actor, ` ${VERBS[entry.action] ?? entry.action} `, subject];
  const reason = entry.action === 'create_token' ? 'Token' : 'Reason';
  return row(name, [['Time', exactTimeElement(entry.at)], [reason, entry.reason || 'none given']]);
}
