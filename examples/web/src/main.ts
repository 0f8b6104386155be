import { getMe } from './calls/sign-in';
import { asFailure } from './failure';
import { showFailure } from './notices';
import { navigate, signInPath, start, type Route } from './router';
import { current, onChange } from './session';
import { markCurrent, showNavigation } from './shell';
import { accountView } from './views/account/account';
import { sessionsView } from './views/account/sessions';
import { tokensView } from './views/account/tokens';
import { editView, newPostView } from './views/compose';
import { draftsView } from './views/drafts';
import { feedView } from './views/feed';
import { auditLogView } from './views/moderation/audit-log';
import { usersView } from './views/moderation/users';
import { postView } from './views/post';
import { profileView } from './views/profile';
import { signInView, signUpView } from './views/sign-in';

const routes: Route[] = [
  [/^\/$/, feedView],
  [/^\/posts\/(\d+)$/, postView],
  [/^\/posts\/(\d+)\/edit$/, editView, true],
  [/^\/new$/, newPostView, true],
  [/^\/drafts$/, draftsView, true],
  [/^\/users\/(\d+)$/, profileView],
  [/^\/account$/, accountView, true],
  [/^\/sessions$/, sessionsView, true],
  [/^\/tokens$/, tokensView, true],
  [/^\/moderation\/users$/, usersView, true],
  [/^\/moderation\/audit-log$/, auditLogView, true],
  [/^\/sign-in$/, signInView, false],
  [/^\/sign-up$/, signUpView, false],
];

onChange(async (failure) => {
  showNavigation();
  if (!failure) return;
  await navigate(signInPath(), { replace: true });
  showFailure(failure);
});
showNavigation();
start(routes, markCurrent);
// If it fails, the view's own requests fail for the same reason, and say so.
if (current()) getMe().catch(asFailure);
