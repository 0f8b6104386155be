import type { components } from './api';

type Problem = components['schemas']['Problem'];
type FieldError = components['schemas']['FieldError'];

/**
 * A failed call, with a message for the user: the service's own if there is one. Without a status, nothing is
 * known of the request's effect. `typeUrl` is the documentation of the problem type, and `endedSession` is set if
 * the failure ended the session and has been shown to the user.
 */
export class Failure extends Error {
  endedSession = false;

  constructor(
    message: string,
    readonly status?: number,
    readonly typeUrl?: string,
    readonly fieldErrors: FieldError[] = [],
  ) {
    super(message);
  }
}

/** `error`, if it is a Failure. Throws it otherwise: it is a defect of the page. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  throw error;
}

/** The failure for an error response. A proxy in front of the service may send one without problem details. */
export function responseFailure(response: Response, body: unknown): Failure {
  const { status } = response;
  if (!isProblem(body)) return new Failure(`The service at ${ACCLAIM_URL} responded with status ${status}.`, status);
  // RFC 9457: `about:blank`, also the default, has no documentation. Only http and https URLs become links.
  const base = `${ACCLAIM_URL}/`;
  const typeUrl = body.type && URL.canParse(body.type, base) ? new URL(body.type, base) : undefined;
  return new Failure(sentence(body.detail), status, typeUrl?.protocol.startsWith('http') ? typeUrl.href : undefined, body.errors);
}

/**
 * The failure for a request without a usable response. Browsers hide the cause from the page, so the message
 * names both possible causes: no service runs at that URL, or its CORS list lacks this page's origin.
 */
export function networkFailure(cause: unknown): Failure {
  if (!(cause instanceof TypeError)) return new Failure(`The service at ${ACCLAIM_URL} sent a response that this page cannot parse.`);
  return new Failure(
    `The service at ${ACCLAIM_URL} cannot be reached; ` +
      `does its CORS_ALLOWED_ORIGINS list this page’s origin, ${location.origin}?`,
  );
}

/**
 * A message of the service as a sentence for people. It starts with a small letter and has no full stop, so that
 * programs can join it with others, and quotes code as in Markdown.
 */
export function sentence(message: string): string {
  const text = message.replace(/`([^`]*)`/g, '“$1”');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

function isProblem(body: unknown): body is Partial<Problem> & Pick<Problem, 'detail'> {
  return typeof body === 'object' && body !== null && 'detail' in body && typeof body.detail === 'string';
}
