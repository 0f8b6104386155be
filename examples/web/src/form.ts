import { h } from './dom';
import { Failure, sentence } from './failure';
import { explanation } from './notices';

export interface Field<Name extends string> {
  /** The name of the field in the API. Errors from the service refer to it. */
  name: Name;
  label: string;
  optional?: boolean;
  hint?: string;
  type?: 'text' | 'email' | 'password' | 'area';
  autocomplete?: string;
}

interface Options<Name extends string> {
  fields: Field<Name>[];
  /** Enter activates the first one. */
  buttons: { name: string; label: string; kind?: string }[];
  submit: (values: Record<Name, string>, button: string) => Promise<void>;
}

/**
 * A form that leaves validation to the service (`novalidate`), so that each rule exists once. It shows the
 * service's errors next to the fields, and only errors without a field above the form.
 */
export function form<Name extends string>({ fields, buttons, submit }: Options<Name>): HTMLFormElement {
  const rows = fields.map(row);
  const summary = h('div', { class: 'summary', role: 'alert' });
  const actions = h(
    'div',
    { class: 'actions' },
    ...buttons.map(({ name, label, kind }, i) => h('button', { value: name, class: kind ?? (i ? 'plain' : 'primary') }, label)),
  );
  const element = h('form', { novalidate: true }, summary, ...rows.map((r) => r.element), actions);
  let busy = false;

  element.addEventListener('submit', async (event) => {
    event.preventDefault();
    // The buttons stay enabled during the request: disabling them would move the focus out of the form.
    if (busy) return;
    busy = true;
    element.ariaBusy = 'true';
    summary.replaceChildren();
    for (const { showErrors } of rows) showErrors([]);
    const values = Object.fromEntries(rows.map(({ name, input }) => [name, input.value]));
    const pressed = event.submitter instanceof HTMLButtonElement ? event.submitter.value : '';
    try {
      await submit(values as Record<Name, string>, pressed);
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      show(failure);
    } finally {
      busy = false;
      element.ariaBusy = null;
    }
  });

  function show(failure: Failure): void {
    const { fieldErrors } = failure;
    for (const { name, showErrors } of rows) {
      showErrors(fieldErrors.filter(({ field }) => field === name).map(({ message }) => message));
    }
    const beside = (field: string) => rows.some(({ name }) => name === field);
    if (fieldErrors.length === 0 || !fieldErrors.every(({ field }) => beside(field))) {
      summary.replaceChildren(explanation(failure));
    }
    // The focus makes a screen reader say the field's name and its error.
    rows.find(({ input }) => input.ariaInvalid)?.input.focus();
  }
  return element;
}

function row<Name extends string>({ name, label, optional, hint, type = 'text', autocomplete = 'off' }: Field<Name>) {
  const id = `field-${name}`;
  const shared = { id, name, autocomplete, 'aria-describedby': `${id}-error${hint ? ` ${id}-hint` : ''}` };
  const input =
    type === 'area'
      ? h('textarea', { ...shared, rows: 8 })
      : h('input', { ...shared, type, autocapitalize: name === 'title' ? 'sentences' : 'none', spellcheck: name === 'title' });
  const message = h('p', { id: `${id}-error`, class: 'error' });
  const caption = h('label', { for: id }, label, ...(optional ? [h('span', { class: 'optional' }, ' (optional)')] : []));
  const element = h('div', { class: 'field' }, caption, ...(hint ? [h('p', { id: `${id}-hint`, class: 'hint' }, hint)] : []), input, message);

  /** The service's messages continue the name of the field: `must be 1 to 300 characters`. */
  function showErrors(messages: string[]): void {
    const named = messages.map((text) => sentence(/^(must|is|has) /.test(text) ? `${label} ${text}` : text));
    message.textContent = named.join(' ');
    input.ariaInvalid = named.length > 0 ? 'true' : null;
  }
  return { name, element, input, showErrors };
}
