import type { components } from './api';
import type { Failure } from './failure';

export interface Session {
  token: string;
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

export function current(): Session | undefined {
  return session;
}

export function begin(next: Session): void {
  session = next;
  sessionStorage.setItem(KEY, JSON.stringify(next));
  listener();
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
