import type { components } from './api';
import type { Failure } from './failure';

export interface Session {
  accessToken: string;
  /** Can be used once. The exchange returns the next one. */
  refreshToken: string;
  user: SignedInUser;
}

export type SignedInUser = Pick<components['schemas']['User'], 'id' | 'username' | 'role'>;

const KEY = 'acclaim.session';
let listener: (failure?: Failure) => void = () => {};

// sessionStorage survives a reload and ends with the tab. Every script of this origin can read it, and the
// Content-Security-Policy allows only the page's own scripts.
let session = load();

function load(): Session | undefined {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') ?? undefined;
  } catch {
    // Not JSON, or the browser denies the page its storage.
    return undefined;
  }
}

/** The same object from sign-in to sign-out. Only its tokens change. */
export function current(): Session | undefined {
  return session;
}

export function begin(next: Session): void {
  session = next;
  store(next);
  listener();
}

/** Replaces the tokens or the user of `target`. */
export function renew(target: Session, changes: Partial<Session>): void {
  const before = JSON.stringify(target.user);
  Object.assign(target, changes);
  if (target !== session) return;
  store(target);
  if (JSON.stringify(target.user) !== before) listener();
}

/** Signs out. `failure` is set if the service ended the session. */
export function end(failure?: Failure): void {
  session = undefined;
  sessionStorage.removeItem(KEY);
  listener(failure);
}

/** Calls `call` when a user signs in or out, or has another name or role. */
export function onChange(call: (failure?: Failure) => void): void {
  listener = call;
}

function store(value: Session): void {
  sessionStorage.setItem(KEY, JSON.stringify(value));
}
