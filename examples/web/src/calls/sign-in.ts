import { bodyOf, client, type Schemas } from '../client';
import { begin, current, end, renew, type SignedInUser } from '../session';

export type UserCreate = Schemas['UserCreate'];

export async function signUp(body: UserCreate): Promise<void> {
  await bodyOf(client.POST('/users', { body }));
}

/** Without `grant_type`, the errors of a sign-in are problem documents, as those of every other route. */
export async function signIn(username: string, password: string): Promise<void> {
  const { access_token: accessToken, refresh_token: refreshToken } = await bodyOf(
    client.POST('/login', {
      body: { username, password },
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    }),
  );
  const me = await bodyOf(client.GET('/users/me', { headers: { Authorization: `Bearer ${accessToken}` } }));
  begin({ accessToken, refreshToken, user: signedInUser(me) });
}

/**
 * Ends the session on the service, and in this tab in any case. Returns true if the service ended it or
 * had ended it before (401).
 */
export async function signOut(): Promise<boolean> {
  const session = current();
  try {
    const { response } = await client.POST('/logout', { signal: AbortSignal.timeout(5000) });
    return response.ok || response.status === 401;
  } catch {
    return false;
  } finally {
    if (session === current()) end();
  }
}

/** Includes `role`, `usage` and `quota`. Updates the tab's name and role of the user, which can change. */
export async function getMe(signal?: AbortSignal): Promise<Schemas['User']> {
  const session = current();
  const user = await bodyOf(client.GET('/users/me', { signal }));
  if (session) renew(session, { user: signedInUser(user) });
  return user;
}

export function signedInUser({ id, username, role }: Schemas['User']): SignedInUser {
  return { id, username, role };
}
