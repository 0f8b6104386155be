import { byId } from './dom';
import { asFailure } from './failure';
import { clear, notify } from './notices';
import { current } from './session';
import { brokenView, notFoundView } from './views/broken';

/** The address of a view: what the URL says, and the signal that the view was left. */
export interface Visit {
  /** The groups of the route's pattern. */
  params: string[];
  query: URLSearchParams;
  /** Aborts the view's loads when another view is opened. Not for writes: they must arrive. */
  signal: AbortSignal;
}

/** Returns the content of `main`, with one `h1`, which names the view. Throws a Failure if it cannot load. */
export type View = (visit: Visit) => HTMLElement | Promise<HTMLElement>;

/**
 * The pattern matches the whole path. With `signedIn`, the view is only for a user who is signed in, or only for
 * one who is not.
 */
export type Route = [pattern: RegExp, view: View, signedIn?: boolean];

const main = byId('main');
let routes: Route[] = [];
let shown = () => {};
let leave = new AbortController();
let scrolling = 0;

/**
 * Shows the view for the URL, and from now on for every link and every move in the history. Calls `onShow`
 * after each view.
 */
export function start(table: Route[], onShow: () => void): void {
  routes = table;
  shown = onShow;
  history.scrollRestoration = 'manual';
  window.addEventListener('popstate', () => show(true));
  window.addEventListener('scroll', () => {
    window.clearTimeout(scrolling);
    scrolling = window.setTimeout(keepScroll, 100);
  });
  document.addEventListener('click', follow);
  void show(false);
}

/** Opens the view for a path of this page. Resolves when it is shown. */
export async function navigate(path: string, { replace = false } = {}): Promise<void> {
  const { href } = ownUrl(path);
  keepScroll();
  // The whole URL, because a path that starts with `//` would name another host.
  history[replace || href === location.href ? 'replaceState' : 'pushState'](null, '', href);
  await show(true);
}

/**
 * Reports a write that `source`, a form or a button, has sent. Opens the view for `path` first, unless the user
 * has left that of `source` meanwhile, or is leaving it.
 */
export async function finish(source: HTMLElement, path: string, text: string): Promise<void> {
  if (source.isConnected && !main.ariaBusy) await navigate(path);
  notify(text);
}

/** Loads the current view again. */
export function reload(): Promise<void> {
  keepScroll();
  return show(true);
}

/** The path of the sign-in view that returns to `next`. */
export function signInPath(next = location.pathname + location.search): string {
  return next === '/' ? '/sign-in' : `/sign-in?${new URLSearchParams({ next })}`;
}

/** The path in `next` of the query. A URL of another site would lead astray, so it becomes `/`. */
export function nextPath(query: URLSearchParams): string {
  const { pathname, search } = ownUrl(query.get('next') ?? '/');
  return pathname + search;
}

function ownUrl(path: string): URL {
  const url = URL.canParse(path, location.href) ? new URL(path, location.href) : undefined;
  return url?.origin === location.origin ? url : new URL('/', location.href);
}

async function show(moveFocus: boolean): Promise<void> {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  clear();
  document.querySelector('dialog')?.close();
  main.ariaBusy = 'true';
  const content = await load(signal);
  if (signal.aborted || !content) return;
  main.ariaBusy = null;
  main.replaceChildren(content);
  const heading = main.querySelector('h1');
  document.title = `${heading?.textContent} · Acclaim`;
  shown();
  if (moveFocus) focusHeading();
  window.scrollTo(0, history.state?.scroll ?? 0);
}

/** Moves the focus to the heading of the view, so that screen readers announce it. */
export function focusHeading(): void {
  const heading = main.querySelector('h1');
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

/** The view for the URL, or nothing if another view has been opened instead. */
async function load(signal: AbortSignal): Promise<HTMLElement | undefined> {
  const path = location.pathname + location.search;
  const pathname = location.pathname.replace(/(.)\/+$/, '$1');
  try {
    for (const [pattern, view, signedIn] of routes) {
      const match = pattern.exec(pathname);
      if (!match) continue;
      const query = new URLSearchParams(location.search);
      if (signedIn === true && !current()) return void navigate(signInPath(path), { replace: true });
      if (signedIn === false && current()) return void navigate(nextPath(query), { replace: true });
      return await view({ params: match.slice(1), query, signal });
    }
    return notFoundView();
  } catch (error) {
    if (signal.aborted) return undefined;
    const failure = asFailure(error);
    // The end of a session has opened the sign-in view.
    if (failure.endedSession) return undefined;
    if (failure.status === 401) return void navigate(signInPath(path), { replace: true });
    return failure.status === 404 ? notFoundView(failure) : brokenView(failure, reload);
  }
}

/** Opens a link to this page without loading the page again. */
function follow(event: MouseEvent): void {
  const link = event.target instanceof Element && event.target.closest('a');
  if (!link || event.defaultPrevented || event.button !== 0) return;
  // A link with these opens another tab or window.
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target || link.download) return;
  if (link.origin !== location.origin) return;
  event.preventDefault();
  void navigate(link.pathname + link.search);
}

/** Writes the scroll position into the history entry, unless the view of the entry is not shown yet. */
function keepScroll(): void {
  window.clearTimeout(scrolling);
  if (!main.ariaBusy) history.replaceState({ scroll: window.scrollY }, '');
}
