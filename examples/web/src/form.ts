import { h } from './dom';
import { Failure } from './failure';
import { explanation } from './notices';

export interface Field<Name extends string> {
  /** The name of the field in the API. Errors from the service refer to it. */
  name: Name;
  label: string;
  hint?: string;
  type?: 'text' | 'email' | 'password' | 'area';
  autocomplete?: string;
}

interface Options<Name extends string> {
  fields: Field<Name>[];
  /** Enter activates the first one. */
  buttons: { name: string; label: string }[];
  submit: (values: Record<Name, string>, button: string) => Promise<void>;
}

/**
 * A form that leaves validation to the service (`novalidate`), so that each rule exists once. It shows the
 * service's errors next to the fields.
 */
export function form<Name extends string>({ fields, buttons, submit }: Options<Name>): HTMLFormElement {
  const rows = fields.map(row);
  const summary = h('div', { class: 'summary', role: 'alert' });
  const actions = h(
    'div',
    { class: 'actions' },
    ...buttons.map(({ name, label }, i) => h('button', { value: name, class: i ? 'plain' : 'primary' }, label)),
  );
  const element = h('form', { novalidate: true }, summary, ...rows.map((r) => r.element), actions);
  let busy = false;

  element.addEventListener('submit', async (event) => {
    event.preventDefault();
    // The buttons stay enabled during the request: disabling them would move the focus out of the form.
    if (busy) return;
    busy = true;
    summary.replaceChildren();
    for (const { showError } of rows) showError('');
    const values = Object.fromEntries(rows.map(({ name, input }) => [name, input.value]));
    const pressed = event.submitter instanceof HTMLButtonElement ? event.submitter.value : '';
    try {
      await submit(values as Record<Name, string>, pressed);
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      summary.replaceChildren(explanation(failure));
      for (const { name, showError } of rows) {
        const errors = failure.fieldErrors.filter(({ field }) => field === name);
        showError(errors.map(({ message }) => message).join('; '));
      }
      rows.find(({ input }) => input.ariaInvalid)?.input.focus();
    } finally {
      busy = false;
    }
  });
  return element;
}

function row<Name extends string>({ name, label, hint, type = 'text', autocomplete = 'off' }: Field<Name>) {
  const id = `field-${name}`;
  const shared = { id, name, autocomplete, 'aria-describedby': `${id}-error${hint ? ` ${id}-hint` : ''}` };
  const input =
    type === 'area'
      ? h('textarea', { ...shared, rows: 8 })
      : h('input', { ...shared, type, autocapitalize: name === 'title' ? 'sentences' : 'none', spellcheck: name === 'title' });
  const message = h('p', { id: `${id}-error`, class: 'error' });
  const element = h('div', { class: 'field' }, h('label', { for: id }, label), input, message);
  if (hint) element.append(h('p', { id: `${id}-hint`, class: 'hint' }, hint));

  function showError(text: string): void {
    message.textContent = text;
    input.ariaInvalid = text ? 'true' : null;
  }
  return { name, element, input, showError };
}
