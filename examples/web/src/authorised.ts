import type { components } from './api';
import { current, renew, type Session } from './session';

/** Running exchanges of refresh tokens. */
const exchanges = new WeakMap<Session, Promise<Response>>();

/**
 * `fetch` with the access token of the signed-in user. If the service rejects the token, it is refreshed
 * and the request is sent once more.
 */
export async function authorised(request: Request): Promise<Response> {
  const session = current();
  if (!session) return fetch(request);
  const token = session.accessToken;
  const again = request.clone();
  const answer = await fetch(withToken(request, token));
  // For a request with a token, 401 means `invalid_token`. CORS hides the header that says so.
  if (answer.status !== 401) return answer;
  // Skipped if another request has refreshed the token meanwhile.
  if (session.accessToken === token) {
    const trouble = await refresh(session);
    if (trouble) return trouble;
  }
  if (session.accessToken === token || session !== current()) return answer;
  return fetch(withToken(again, session.accessToken));
}

function withToken(request: Request, token: string): Request {
  request.headers.set('Authorization', `Bearer ${token}`);
  return request;
}

/**
 * Gets the session's next tokens, once for all waiting requests, because a refresh token is used once.
 * Returns the response if the exchange has to be tried again later (5xx, 408, 429). Otherwise returns
 * nothing; if the session has ended, it has no new tokens.
 */
async function refresh(session: Session): Promise<Response | undefined> {
  let exchange = exchanges.get(session);
  if (!exchange) {
    exchange = ask(session).finally(() => exchanges.delete(session));
    exchanges.set(session, exchange);
  }
  const { status } = await exchange;
  const later = status >= 500 || status === 408 || status === 429;
  return later ? (await exchange).clone() : undefined;
}

/** The refresh token grant of OAuth 2.0. */
async function ask(session: Session): Promise<Response> {
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: session.refreshToken });
  const answer = await fetch(`${ACCLAIM_URL}/login`, { method: 'POST', body });
  if (answer.ok) {
    const grant: components['schemas']['Grant'] = await answer.json();
    renew(session, { accessToken: grant.access_token, refreshToken: grant.refresh_token });
  }
  return answer;
}
