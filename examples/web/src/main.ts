import { refreshUser } from './calls/sign-in';
import { Failure } from './failure';
import { showFailure } from './notices';
import { navigate, signInPath, start, type Route } from './router';
import { onChange } from './session';
import { markCurrent, showShell } from './shell';
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
  { pattern: /^\/$/, view: feedView },
  { pattern: /^\/posts\/(\d+)$/, view: postView },
  { pattern: /^\/posts\/(\d+)\/edit$/, view: editView, signedIn: true },
  { pattern: /^\/new$/, view: newPostView, signedIn: true },
  { pattern: /^\/drafts$/, view: draftsView, signedIn: true },
  { pattern: /^\/users\/(\d+)$/, view: profileView },
  { pattern: /^\/account$/, view: accountView, signedIn: true },
  { pattern: /^\/sessions$/, view: sessionsView, signedIn: true },
  { pattern: /^\/tokens$/, view: tokensView, signedIn: true },
  { pattern: /^\/moderation\/users$/, view: usersView, signedIn: true },
  { pattern: /^\/moderation\/audit-log$/, view: auditLogView, signedIn: true },
  { pattern: /^\/sign-in$/, view: signInView, signedIn: false },
  { pattern: /^\/sign-up$/, view: signUpView, signedIn: false },
];

onChange(async (failure) => {
  showShell();
  if (!failure) return;
  await navigate(signInPath(), { replace: true });
  showFailure(failure);
});
showShell();
start(routes, markCurrent);
refreshUser().catch((failure: unknown) => {
  // The view's own requests fail for the same reason, and say so.
  if (!(failure instanceof Failure)) throw failure;
});
