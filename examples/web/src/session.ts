import type { components } from './api';
import type { Failure } from './failure';

export interface Session {
  accessToken: string;
  /** To be used once: what it is exchanged for brings the next one. */
  refreshToken: string;
  user: Pick<components['schemas']['User'], 'id' | 'username'>;
}

const KEY = 'acclaim.session';
let listener: (why?: Failure) => void = () => {};

// sessionStorage, because it survives a reload, and ends with the tab. Any script of this origin can
// read it; the Content-Security-Policy allows none but the page's own.
let session = kept();

function kept(): Session | undefined {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') ?? undefined;
  } catch {
    sessionStorage.removeItem(KEY);
    return undefined;
  }
}

/** The same object from a sign-in until its end, however often its tokens change. */
export function current(): Session | undefined {
  return session;
}

export function begin(next: Session): void {
  session = next;
  keep(next);
  listener();
}

/** Gives `of` its next tokens. */
export function renew(of: Session, tokens: Pick<Session, 'accessToken' | 'refreshToken'>): void {
  Object.assign(of, tokens);
  if (of === session) keep(of);
}

/** Signs out; `why` is there when it was the service that ended the session. */
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
