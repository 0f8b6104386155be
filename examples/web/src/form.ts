import { h } from './dom';
import { asFailure, sentence, type Failure } from './failure';
import { explanation } from './notices';

export interface Field<Name extends string> {
  /** The name of the field in the API. Errors from the service refer to it. */
  name: Name;
  label: string;
  optional?: boolean;
  hint?: string;
  /** `checks` is a group of check boxes: its value has the checked ones, separated by spaces. */
  type?: 'text' | 'email' | 'password' | 'area' | 'select' | 'checks';
  autocomplete?: string;
  /** The value before the user changes it. */
  value?: string;
  /** The choices of `select` and `checks`: values and labels. */
  options?: [value: string, ...label: (Node | string)[]][];
}

interface Options<Name extends string> {
  fields: Field<Name>[];
  /** The labels of the buttons. Enter activates the first one. */
  buttons: string[];
  /** The class of the first button. */
  kind?: string;
  /** Gets the label of the pressed button. */
  submit: (values: Record<Name, string>, button: string) => Promise<void>;
}

// Makes ids unique: a view can have several forms with a field of the same name.
let forms = 0;

/**
 * A form that leaves validation to the service (`novalidate`), so that each rule exists once. It shows the
 * service's errors next to the fields, and only errors without a field above the form.
 */
export function form<Name extends string>({ fields, buttons, kind = 'primary', submit }: Options<Name>): HTMLFormElement {
  const id = `form-${++forms}`;
  const rows = fields.map((field) => row(field, `${id}-${field.name}`));
  const summary = h('div', { class: 'summary', role: 'alert' });
  const actions = h(
    'div',
    { class: 'actions' },
    ...buttons.map((label, i) => h('button', { value: label, class: i ? 'plain' : kind }, label)),
  );
  const element = h('form', { novalidate: true }, summary, ...rows.map((r) => r.element), actions);

  element.addEventListener('submit', async (event) => {
    event.preventDefault();
    // The buttons stay enabled during the request: disabling them would move the focus out of the form.
    if (element.ariaBusy) return;
    element.ariaBusy = 'true';
    summary.replaceChildren();
    for (const { showErrors } of rows) showErrors([]);
    const data = new FormData(element);
    const values = Object.fromEntries(fields.map(({ name }) => [name, data.getAll(name).join(' ')]));
    const pressed = event.submitter instanceof HTMLButtonElement ? event.submitter.value : '';
    try {
      await submit(values as Record<Name, string>, pressed);
    } catch (failure) {
      show(asFailure(failure));
    } finally {
      element.ariaBusy = null;
    }
  });

  function show(failure: Failure): void {
    let beside = 0;
    for (const { name, showErrors } of rows) {
      const messages = failure.fieldErrors.filter(({ field }) => field === name).map(({ message }) => message);
      showErrors(messages);
      beside += messages.length;
    }
    if (beside === 0 || beside < failure.fieldErrors.length) summary.replaceChildren(explanation(failure));
    // The focus makes a screen reader say the field's name and its error.
    rows.find(({ inputs }) => inputs[0]?.ariaInvalid)?.inputs[0]?.focus();
  }
  return element;
}

function row<Name extends string>(field: Field<Name>, id: string) {
  const { name, label, optional, hint, type } = field;
  const grouped = type === 'checks';
  const describedBy = { 'aria-describedby': `${id}-error${hint ? ` ${id}-hint` : ''}` };
  const inputs = grouped ? checks(field) : [control(field, { id, name, ...describedBy })];
  const message = h('p', { id: `${id}-error`, class: 'error' });
  const words = [label, ...(optional ? [h('span', { class: 'optional' }, ' (optional)')] : [])];
  const element = h(
    grouped ? 'fieldset' : 'div',
    { class: 'field', ...(grouped && describedBy) },
    grouped ? h('legend', {}, ...words) : h('label', { for: id }, ...words),
    ...(hint ? [h('p', { id: `${id}-hint`, class: 'hint' }, hint)] : []),
    ...inputs.map((input) => input.parentElement ?? input),
    message,
  );

  /** The service's messages continue the name of the field: `must be 1 to 300 characters`. */
  function showErrors(messages: string[]): void {
    const named = messages.map((text) => sentence(/^(must|is|has) /.test(text) ? `${label} ${text}` : text));
    message.textContent = named.join(' ');
    for (const input of inputs) input.ariaInvalid = named.length > 0 ? 'true' : null;
  }
  return { name, element, inputs, showErrors };
}

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

function control({ name, type = 'text', autocomplete = 'off', value, options = [] }: Field<string>, attributes: Record<string, string>): Control {
  const shared = { ...attributes, autocomplete };
  if (type === 'area') return h('textarea', { ...shared, rows: 8 }, value ?? '');
  if (type === 'select') return h('select', shared, ...options.map(([chosen, ...label]) => h('option', { value: chosen, selected: chosen === value }, ...label)));
  const prose = name === 'title';
  return h('input', { ...shared, type, autocapitalize: prose ? 'sentences' : 'none', spellcheck: prose, ...(value !== undefined && { value }) });
}

/** Check boxes, each in its label. */
function checks({ name, options = [] }: Field<string>): HTMLInputElement[] {
  return options.map(([value, ...label]) => {
    const input = h('input', { type: 'checkbox', name, value });
    h('label', { class: 'check' }, input, h('span', {}, ...label));
    return input;
  });
}
