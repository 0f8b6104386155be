import type { components } from './api';
import { current, renew, type Session } from './session';

/** Refresh token exchanges in progress. */
const exchanges = new WeakMap<Session, Promise<Response>>();

/**
 * `fetch` with the access token of the signed-in user. If the service rejects the token, it is refreshed
 * and the request is sent once more.
 */
export async function authorised(request: Request): Promise<Response> {
  const session = current();
  if (!session) return fetch(request);
  const token = session.accessToken;
  const retry = request.clone();
  const response = await fetch(withToken(request, token));
  // For a request with a token, 401 means `invalid_token`. CORS hides the header that says so.
  if (response.status !== 401) return response;
  // Skipped if another request has refreshed the token meanwhile.
  if (session.accessToken === token) {
    const failed = await refresh(session);
    if (failed) return failed;
  }
  if (session.accessToken === token || session !== current()) return response;
  return fetch(withToken(retry, session.accessToken));
}

function withToken(request: Request, token: string): Request {
  request.headers.set('Authorization', `Bearer ${token}`);
  return request;
}

/**
 * Gets the session's next tokens, once for all waiting requests, because a refresh token is used once.
 * Returns the response if the exchange must be retried later (5xx, 408, 429). Otherwise returns nothing.
 * The tokens stay the same if the session has ended.
 */
async function refresh(session: Session): Promise<Response | undefined> {
  let exchange = exchanges.get(session);
  if (!exchange) {
    exchange = exchangeToken(session).finally(() => exchanges.delete(session));
    exchanges.set(session, exchange);
  }
  const { status } = await exchange;
  const retryLater = status >= 500 || status === 408 || status === 429;
  return retryLater ? (await exchange).clone() : undefined;
}

/** The refresh token grant of OAuth 2.0. */
async function exchangeToken(session: Session): Promise<Response> {
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: session.refreshToken });
  const response = await fetch(`${ACCLAIM_URL}/login`, { method: 'POST', body });
  if (response.ok) {
    const tokens: components['schemas']['TokenResponse'] = await response.json();
    renew(session, { accessToken: tokens.access_token, refreshToken: tokens.refresh_token });
  }
  return response;
}
