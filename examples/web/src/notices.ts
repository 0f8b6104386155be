import { button, byId, h } from './dom';
import type { Failure } from './failure';

let timer = 0;

/** Shows the outcome of an action for a while. It contains nothing that the user needs later. */
export function say(text: string): void {
  clear();
  byId('said').textContent = text;
  timer = window.setTimeout(clear, 8000);
}

/** Announces to screen readers what others can see. */
export function whisper(text: string): void {
  byId('whispered').textContent = text;
}

/** Shows a failure until it is dismissed or the user does something else. */
export function alarm(failure: Failure): void {
  // When a session ends, the previous view reports the same failure again. It has been shown already.
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

/** The service's message with the link to the page of the problem type. */
export function explanation(failure: Failure): HTMLElement {
  const paragraph = h('p', {}, failure.message);
  if (failure.about) {
    const link = h('a', { href: failure.about, target: '_blank', rel: 'noreferrer' }, 'About this problem');
    paragraph.append(' ', link);
  }
  return paragraph;
}
