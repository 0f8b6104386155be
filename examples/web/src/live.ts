import { createTicket, type PostEvent } from './calls/events';
import { asFailure } from './failure';
import { pathWith } from './paths';
import { reload } from './router';
import { current } from './session';

const KINDS: PostEvent['kind'][] = ['post.created', 'post.published', 'post.unpublished', 'post.deleted', 'vote.added', 'vote.removed'];

/** A position, and filters of the service. */
interface Start {
  after: string | undefined;
  tag?: string;
  owner_id?: number;
  post_id?: number;
}

/**
 * Calls `on` for each event of posts and votes after a position, until `signal` says that the view was left.
 * Connects again after a break, and then misses nothing. Has no connection while the page is hidden: browsers open
 * few to one host.
 */
export function follow(start: Start, signal: AbortSignal, on: (event: PostEvent) => void): void {
  const query = { ...start, kinds: KINDS.join() };
  let source: EventSource | undefined;
  let timer = 0;
  let failures = 0;

  /** Ends the connection. Returns whether another one is of use. */
  function stop(): boolean {
    window.clearTimeout(timer);
    source?.close();
    return !document.hidden && !signal.aborted;
  }

  async function connect(): Promise<void> {
    if (!stop()) return;
    let ticket: string | undefined;
    try {
      if (current()) ticket = await createTicket(signal);
    } catch (error) {
      asFailure(error);
      return later();
    }
    if (!stop()) return;
    source = new EventSource(ACCLAIM_URL + pathWith('/events', { ...query, ticket }));
    source.onopen = () => (failures = 0);
    for (const kind of KINDS) {
      source.addEventListener(kind, ({ data, lastEventId }) => {
        query.after = lastEventId;
        on(JSON.parse(data));
      });
    }
    // The log no longer has what happened since.
    source.addEventListener('reset', () => void reload());
    // Also at the end of the stream, as after `too-slow` and `unauthorized`: the request for the next ticket refreshes
    // an expired access token, or leads to the sign-in. The browser would use this ticket again, which is used up.
    source.onerror = later;
  }

  /** Connects again after 1 to 5 seconds, and later 8 to 40: the readers of a server that restarts must spread. */
  function later(): void {
    stop();
    timer = window.setTimeout(connect, 1000 * 2 ** Math.min(failures++, 3) * (1 + 4 * Math.random()));
  }

  signal.addEventListener('abort', stop);
  document.addEventListener('visibilitychange', connect, { signal });
  void connect();
}
