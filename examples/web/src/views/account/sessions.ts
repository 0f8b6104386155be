import { endSession, endSessions, listSessions, type Session } from '../../calls/account';
import { h } from '../../dom';
import { notify } from '../../notices';
import { actionButton } from '../../parts/action';
import { confirmed } from '../../parts/confirm';
import { lead, page } from '../../parts/page';
import { list, removeRow, row } from '../../parts/rows';
import { exactTimeElement, timeElement } from '../../parts/time';
import { navigate, type Visit } from '../../router';
import { leave } from '../../shell';
import { sendNow } from '../../undo';
import { deviceName } from './device';
import { accountTabs } from './tabs';

/** The user's sessions, newest first. */
export async function sessionsView({ signal }: Visit): Promise<HTMLElement> {
  const sessions = await listSessions(signal);
  return page(
    'Sessions',
    accountTabs(),
    lead('Each sign-in starts a session. If you do not recognise one, end it and change your password.'),
    list(sessions.map(sessionRow), 'You have no session.'),
    ...(sessions.length > 1 ? [h('p', { class: 'after' }, actionButton('End all sessions', 'plain', undefined, endAll))] : []),
  );
}

function sessionRow(session: Session): HTMLElement {
  const device = deviceName(session.user_agent);
  const name: (string | Node)[] = [h('span', { title: session.user_agent }, device)];
  if (session.current) name.push(h('span', { class: 'badge' }, 'This session'));
  const action = session.current
    ? actionButton('Sign out', 'plain', undefined, leave)
    : actionButton('End', 'plain', device, async () => {
        await endSession(session.id);
        removeRow(item);
        notify(`Ended the session of ${device}.`);
      });
  const item = row(
    name,
    [
      ['Signed in', timeElement(session.created_at)],
      ['Last used', timeElement(session.last_used_at)],
      ['Expires', exactTimeElement(session.expires_at)],
    ],
    action,
  );
  return item;
}

async function endAll(): Promise<void> {
  const consequence = 'Every device is signed out, this one too. Personal access tokens stay valid.';
  if (!(await confirmed('End all sessions?', consequence, 'End all'))) return;
  if (!(await sendNow())) return;
  await endSessions();
  await navigate('/sign-in');
  notify('All sessions have ended.');
}
