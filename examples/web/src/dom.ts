type Attributes = Record<string, string | number | boolean>;

/**
 * Creates an element. Strings among the children become text nodes, never markup, so the text of a post
 * stays text. `true` sets an attribute, `false` omits it.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children);
  return element;
}

/** A link to another view. */
export function link(href: string, label: string): HTMLElement {
  return h('a', { href }, label);
}

/** A list with these items. */
export function ul(attributes: Attributes, items: (Node | string)[]): HTMLUListElement {
  return h('ul', attributes, ...items.map((item) => h('li', {}, item)));
}

/** An element of index.html. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element;
}

/** A button that calls `action` and never submits a form. */
export function button(label: string, kind: string, action: () => void): HTMLButtonElement {
  const element = h('button', { type: 'button', class: kind }, label);
  element.addEventListener('click', action);
  return element;
}
