import type { components } from './api';

type Problem = components['schemas']['Problem'];
type FieldError = components['schemas']['FieldError'];

/** A failed call, with a message for the user: the service's own if there is one. */
export class Failure extends Error {
  /** The page about this problem type. */
  readonly about: string | undefined;
  /** Errors by field. */
  readonly faults: FieldError[];
  /** True if the failure ended the session. The user has then been told. */
  endedSession = false;

  constructor(message: string, about?: string, faults: FieldError[] = []) {
    super(message);
    this.about = about;
    this.faults = faults;
  }
}

/** The response of the service, or of a proxy in front of it, which does not send problem details. */
export function refusal(response: Response, body: unknown): Failure {
  if (!isProblem(body)) return new Failure(`The service at ${ACCLAIM_URL} answered ${response.status}.`);
  // RFC 9457: `about:blank`, also the default, says no more than the status. Only http and https URLs
  // become links.
  const base = `${ACCLAIM_URL}/`;
  const about = body.type && URL.canParse(body.type, base) ? new URL(body.type, base) : undefined;
  return new Failure(body.detail, about?.protocol.startsWith('http') ? about.href : undefined, body.errors);
}

/**
 * The browser does not tell a page why a request failed. So the message names both possible causes: there
 * is no service at that URL, or its CORS list lacks this page's origin.
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
