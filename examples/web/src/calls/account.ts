// Calls about the signed-in user's account, sessions and personal access tokens.
import { bodyOf, client, type Schemas } from '../client';
import { Failure } from '../failure';
import { current, end, renew } from '../session';
import { signedInUser } from './sign-in';

export type User = Schemas['User'];
export type Session = Schemas['Session'];
export type Scope = Schemas['Scope'];
export type Token = Schemas['PersonalToken'];
export type TokenCreate = Schemas['TokenCreate'];
export type AccountUpdate = Schemas['AccountUpdate'];

/** A new password ends every session. The response has the tokens of a new one, which this tab then uses. */
export async function changeAccount(body: AccountUpdate): Promise<User> {
  const session = current();
  const { tokens, ...user } = await withPassword(bodyOf(client.PATCH('/users/me', { body })));
  if (session) {
    const next = tokens && { accessToken: tokens.access_token, refreshToken: tokens.refresh_token };
    renew(session, { ...next, user: signedInUser(user) });
  }
  return user;
}

/** Deletes the account, and signs out. */
export async function deleteAccount(password: string): Promise<void> {
  await withPassword(bodyOf(client.DELETE('/users/me', { body: { current_password: password } })));
  end();
}

/**
 * Downloads all data about the user as a file. The token is in a header, so the URL of the file has none.
 * The browser keeps the file outside the page's memory until it is saved.
 */
export async function downloadExport(): Promise<void> {
  const body = await bodyOf(client.GET('/users/me/export', { parseAs: 'stream' }));
  let file: Blob;
  try {
    file = await new Response(body).blob();
  } catch {
    throw new Failure('The export broke off before its end. Nothing was saved; try again.');
  }
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = `acclaim-${current()?.user.username}.json`;
  link.click();
  // The browser has the file by then, also if it asks the user for a folder.
  window.setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A wrong password as an error of its field. The service reports it as a problem type of its own. */
async function withPassword<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (failure) {
    if (!(failure instanceof Failure) || !failure.typeUrl?.endsWith('/problems/wrong-password')) throw failure;
    const wrong = { field: 'current_password', code: 'wrong', message: 'is wrong' };
    throw new Failure(failure.message, failure.status, failure.typeUrl, [wrong]);
  }
}

/** All sessions of the user: the service keeps at most 100. */
export function listSessions(signal: AbortSignal): Promise<Session[]> {
  return bodyOf(client.GET('/sessions', { params: { query: { limit: 100 } }, signal }));
}

export async function endSession(id: number): Promise<void> {
  await bodyOf(client.DELETE('/sessions/{id}', { params: { path: { id } } }));
}

/** Ends every session, and signs out. */
export async function endSessions(): Promise<void> {
  await bodyOf(client.DELETE('/sessions'));
  end();
}

export function createToken(body: TokenCreate): Promise<Token> {
  return bodyOf(client.POST('/tokens', { body }));
}

export function listTokens(signal: AbortSignal): Promise<Token[]> {
  return bodyOf(client.GET('/tokens', { signal }));
}

export async function revokeToken(id: number): Promise<void> {
  await bodyOf(client.DELETE('/tokens/{id}', { params: { path: { id } } }));
}
