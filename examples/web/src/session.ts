import type { components } from './api';
import type { Failure } from './failure';

export interface Session {
  accessToken: string;
  /** Can be used once. The exchange returns the next one. */
  refreshToken: string;
  user: Pick<components['schemas']['User'], 'id' | 'username'>;
}

const KEY = 'acclaim.session';
let listener: (why?: Failure) => void = () => {};

// sessionStorage survives a reload and ends with the tab. Every script of this origin can read it, and the
// Content-Security-Policy allows only the page's own scripts.
let session = kept();

function kept(): Session | undefined {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') ?? undefined;
  } catch {
    sessionStorage.removeItem(KEY);
    return undefined;
  }
}

/** The same object from sign-in to sign-out. Only its tokens change. */
export function current(): Session | undefined {
  return session;
}

export function begin(next: Session): void {
  session = next;
  keep(next);
  listener();
}

/** Sets the next tokens of the session `of`. */
export function renew(of: Session, tokens: Pick<Session, 'accessToken' | 'refreshToken'>): void {
  Object.assign(of, tokens);
  if (of === session) keep(of);
}

/** Signs out. `why` is set if the service ended the session. */
export function end(why?: Failure): void {
  session = undefined;
  sessionStorage.removeItem(KEY);
  listener(why);
}

export function onChange(call: (why?: Failure) => void): void {
  listener = call;
}

function keep(what: Session): void {
  sessionStorage.setItem(KEY, JSON.stringify(what));
}
