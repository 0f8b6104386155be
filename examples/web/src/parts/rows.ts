import { h } from '../dom';
import { focusHeading } from '../router';
import type { Content } from './page';

/** An item of a list: its name, facts about it, and buttons. */
export function row(name: Content, facts: [term: string, value: Node | string][], ...actions: HTMLElement[]): HTMLElement {
  const pairs = facts.map(([term, value]) => h('div', {}, h('dt', {}, term), h('dd', {}, value)));
  const words = h('div', {}, h('p', { class: 'name', tabindex: -1 }, ...name), h('dl', {}, ...pairs));
  return h('li', { class: 'row' }, words, ...actions);
}

export function list(rows: HTMLElement[], empty: string): HTMLElement {
  return rows.length > 0 ? h('ul', { class: 'rows' }, ...rows) : h('p', { class: 'empty' }, empty);
}

/**
 * Removes `item` from its list. If the focus was there, or if `item` is gone already, moves it to the name of the
 * neighbour, or else to the heading of the view.
 */
export function removeRow(item: HTMLElement, name = '.name'): void {
  if (item.isConnected && !item.contains(document.activeElement)) return item.remove();
  const neighbour = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  const next = neighbour?.querySelector<HTMLElement>(name);
  if (next) next.focus();
  else focusHeading();
}
