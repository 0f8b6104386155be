import createClient from 'openapi-fetch';
import type { components, paths } from './api';
import { authorised } from './authorised';
import { networkFailure, responseFailure } from './failure';
import { current, end } from './session';

export type Schemas = components['schemas'];

/** The generated client. `calls/` has a function for each use of it. */
export const client = createClient<paths>({ baseUrl: ACCLAIM_URL, fetch: authorised });

type Outcome<T> = { data?: T; error?: unknown; response: Response };

/** The body and the headers of a successful response. Throws a Failure otherwise. */
export async function answerOf<T>(call: Promise<Outcome<T>>): Promise<{ body: T; headers: Headers }> {
  const session = current();
  let outcome: Outcome<T>;
  try {
    outcome = await call;
  } catch (cause) {
    throw networkFailure(cause);
  }
  const { data, error, response } = outcome;
  if (response.ok) return { body: data as T, headers: response.headers };
  const failure = responseFailure(response, error);
  // With a token, 401 means that the session ended.
  if (response.status === 401 && session && session === current()) {
    failure.endedSession = true;
    end(failure);
  }
  throw failure;
}

export async function bodyOf<T>(call: Promise<Outcome<T>>): Promise<T> {
  return (await answerOf(call)).body;
}
