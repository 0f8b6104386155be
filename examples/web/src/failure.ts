import type { components } from './api';

type Problem = components['schemas']['Problem'];
type Fault = components['schemas']['Fault'];

/** A call that did not work, in words for people: the service's own wherever it said any. */
export class Failure extends Error {
  /** The page about this kind of problem. */
  readonly about: string | undefined;
  /** What is wrong with which field. */
  readonly faults: Fault[];
  /** Whether it ended the session: then it has been told already. */
  endedSession = false;

  constructor(message: string, about?: string, faults: Fault[] = []) {
    super(message);
    this.about = about;
    this.faults = faults;
  }
}

/** The answer of the service, or of a proxy in front of it, which speaks no problem details. */
export function refusal(response: Response, body: unknown): Failure {
  if (!isProblem(body)) return new Failure(`The service at ${ACCLAIM_URL} answered ${response.status}.`);
  // RFC 9457: about:blank, which stands for no type too, says no more than the status. No other scheme
  // than the web's becomes a link.
  const base = `${ACCLAIM_URL}/`;
  const about = body.type && URL.canParse(body.type, base) ? new URL(body.type, base) : undefined;
  return new Failure(body.detail, about?.protocol.startsWith('http') ? about.href : undefined, body.errors);
}

/**
 * The browser tells a page neither why a request failed nor whether the answer was kept from it, so
 * the sentence names both causes that are left: no service at that address, or its CORS list.
 */
export function noAnswer(cause: unknown): Failure {
  if (!(cause instanceof TypeError)) return new Failure(`The service at ${ACCLAIM_URL} answered what this page cannot read.`);
  return new Failure(
    `The service at ${ACCLAIM_URL} cannot be reached; ` +
      `does its CORS_ALLOWED_ORIGINS list this page’s origin, ${location.origin}?`,
  );
}

function isProblem(body: unknown): body is Partial<Problem> & Pick<Problem, 'detail'> {
  return typeof body === 'object' && body !== null && 'detail' in body && typeof body.detail === 'string';
}
