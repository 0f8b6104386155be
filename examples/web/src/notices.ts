import { button, byId, h } from './dom';
import type { Failure } from './failure';

let timer = 0;

/** Shows the outcome of an action for 8 seconds. */
export function notify(text: string): void {
  clear();
  byId('notice').textContent = text;
  timer = window.setTimeout(clear, 8000);
}

/** Shows a failure until it is dismissed or the user does something else. */
export function showFailure(failure: Failure): void {
  // When a session ends, the previous view reports the same failure a second time.
  if (failure.endedSession && byId('failure').hasChildNodes()) return;
  clear();
  const dismiss = button('Dismiss', 'quiet', () => {
    clear();
    byId('main').focus();
  });
  byId('failure').append(explanation(failure), dismiss);
}

export function clear(): void {
  window.clearTimeout(timer);
  byId('notice').replaceChildren();
  byId('failure').replaceChildren();
}

/** The service's message with a link to the documentation of the problem type. */
export function explanation(failure: Failure): HTMLElement {
  const paragraph = h('p', {}, failure.message);
  if (failure.typeUrl) {
    const link = h('a', { href: failure.typeUrl, target: '_blank', rel: 'noreferrer' }, 'About this problem');
    paragraph.append(' ', link);
  }
  return paragraph;
}
