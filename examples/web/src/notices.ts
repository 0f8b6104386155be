import { button, byId, h } from './dom';
import type { Failure } from './failure';

let timer = 0;

/** Shows the outcome of an action, for a while: nothing in it is needed to go on. */
export function say(text: string): void {
  clear();
  byId('said').textContent = text;
  timer = window.setTimeout(clear, 8000);
}

/** Tells only those who listen to the page what the others can see. */
export function whisper(text: string): void {
  byId('whispered').textContent = text;
}

/** Shows what went wrong, until it is dismissed or something else is done. */
export function alarm(failure: Failure): void {
  // The view that the session's end left behind gets the failure as well; it has been shown by then.
  if (failure.endedSession && byId('alarm').hasChildNodes()) return;
  clear();
  const dismiss = button('Dismiss', 'quiet', () => {
    clear();
    byId('main').focus();
  });
  byId('alarm').append(explanation(failure), dismiss);
}

export function clear(): void {
  window.clearTimeout(timer);
  byId('said').replaceChildren();
  byId('alarm').replaceChildren();
}

/** The service's words, with the link to its page on this kind of problem. */
export function explanation(failure: Failure): HTMLElement {
  const paragraph = h('p', {}, failure.message);
  if (failure.about) {
    const link = h('a', { href: failure.about, target: '_blank', rel: 'noreferrer' }, 'About this problem');
    paragraph.append(' ', link);
  }
  return paragraph;
}
