import { h } from '../dom';

export type Content = (Node | string)[];

/** A view with its heading, which gets the focus when the view is shown. */
export function page(title: string, ...content: Content): HTMLElement {
  return h('section', { class: 'page', 'aria-labelledby': 'title' }, h('h1', { id: 'title', tabindex: -1 }, title), ...content);
}

/** A sentence below the heading. */
export function lead(...content: Content): HTMLElement {
  return h('p', { class: 'lead' }, ...content);
}

let panels = 0;

/** A part of a view with its own heading. */
export function panel(title: string, ...content: Content): HTMLElement {
  const id = `panel-${++panels}`;
  return h('section', { class: 'panel', 'aria-labelledby': id }, h('h2', { id, tabindex: -1 }, title), ...content);
}

/** Links between related views. The current one is marked. */
export function tabs(label: string, links: [path: string, name: string][]): HTMLElement {
  const items = links.map(([path, name]) =>
    h('a', { href: path, 'aria-current': location.pathname === path && 'page' }, name),
  );
  return h('nav', { class: 'tabs', 'aria-label': label }, ...items);
}
