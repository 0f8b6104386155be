import createClient from 'openapi-fetch';
import type { components, operations, paths } from './api';
import { authorised } from './authorised';
import { networkFailure, responseFailure } from './failure';
import { begin, current, end } from './session';

type Schemas = components['schemas'];
export type Post = Schemas['Post'];
export type PostCreate = Schemas['PostCreate'];
export type UserCreate = Schemas['UserCreate'];
export type Credentials = Required<Pick<Schemas['TokenRequest'], 'username' | 'password'>>;
export type PostQuery = NonNullable<operations['listPosts']['parameters']['query']>;

const client = createClient<paths>({ baseUrl: ACCLAIM_URL, fetch: authorised });

type Outcome<T> = { data?: T; error?: unknown; response: Response };

/** Returns the body of the response or throws a Failure. A 401 while signed in means that the session ended. */
async function bodyOf<T>(call: Promise<Outcome<T>>): Promise<T> {
  const session = current();
  let outcome: Outcome<T>;
  try {
    outcome = await call;
  } catch (cause) {
    throw networkFailure(cause);
  }
  if (outcome.response.ok) return outcome.data as T;
  const failure = responseFailure(outcome.response, outcome.error);
  if (outcome.response.status === 401 && session && session === current()) {
    failure.endedSession = true;
    end(failure);
  }
  throw failure;
}

export async function signUp(body: UserCreate): Promise<void> {
  await bodyOf(client.POST('/users', { body }));
}

/** Without `grant_type`, so that errors are problem details. */
export async function signIn(username: string, password: string): Promise<void> {
  const { access_token: accessToken, refresh_token: refreshToken } = await bodyOf(
    client.POST('/login', {
      body: { username, password },
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    }),
  );
  const me = await bodyOf(client.GET('/users/me', { headers: { Authorization: `Bearer ${accessToken}` } }));
  begin({ accessToken, refreshToken, user: { id: me.id, username: me.username } });
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

export function listPosts(query: PostQuery): Promise<Post[]> {
  return bodyOf(client.GET('/posts', { params: { query } }));
}

export function createPost(body: PostCreate): Promise<Post> {
  return bodyOf(client.POST('/posts', { body }));
}

export function publishPost(id: number): Promise<Post> {
  return bodyOf(client.PATCH('/posts/{id}', { params: { path: { id } }, body: { published: true } }));
}

export async function deletePost(id: number): Promise<void> {
  await bodyOf(client.DELETE('/posts/{id}', { params: { path: { id } } }));
}

/** Idempotent, unlike POST /vote: a vote cast in another tab is not an error. */
export function setVote(id: number, voted: boolean): Promise<Schemas['VoteState']> {
  const options = { params: { path: { id } } };
  return bodyOf(voted ? client.PUT('/posts/{id}/vote', options) : client.DELETE('/posts/{id}/vote', options));
}
