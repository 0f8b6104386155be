// Calls about events.
import { answerOf, bodyOf, client, type Schemas } from '../client';
import { asFailure } from '../failure';
import { linked } from './links';

export type PostEvent = Schemas['Event'];

/**
 * The position of the last event. Load it before a view, and follow what happens after it: then nothing is missing
 * between the two. If it fails, the view's own loads fail for the same reason and say so.
 */
export function lastPosition(signal: AbortSignal): Promise<string | undefined> {
  return answerOf(client.GET('/events', { params: { query: { limit: 1 } }, signal })).then(
    ({ headers }) => linked(headers, 'next', 'after'),
    (error) => void asFailure(error),
  );
}

/** A ticket opens one stream. It is in a URL, where a token must not be. */
export async function createTicket(signal: AbortSignal): Promise<string> {
  return (await bodyOf(client.POST('/events/tickets', { signal }))).ticket;
}
