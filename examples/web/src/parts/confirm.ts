import { button, h } from '../dom';

/**
 * Shows a modal dialog. Resolves to true when `body` calls `done`, or to false if the user cancels, which is not
 * possible while `body` is a form that waits for its response. Puts a button for it before those of `body`.
 */
export function ask(question: string, consequence: string, body: (done: () => void) => HTMLElement): Promise<boolean> {
  return new Promise((resolve) => {
    const content = body(() => dialog.close('done'));
    const dialog = h(
      'dialog',
      { 'aria-labelledby': 'question', 'aria-describedby': 'consequence' },
      h('h2', { id: 'question' }, question),
      h('p', { id: 'consequence' }, consequence),
      content,
    );
    const cancel = button('Cancel', 'plain', () => content.ariaBusy || dialog.close());
    dialog.querySelector('.actions')?.prepend(cancel);
    const stay = (event: Event) => {
      if (content.ariaBusy) event.preventDefault();
    };
    dialog.addEventListener('cancel', stay);
    // At a second Escape, browsers close the dialog whatever happens to `cancel`.
    dialog.addEventListener('keydown', (event) => event.key === 'Escape' && stay(event));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'done');
    });
    // The browser restores the focus when the dialog closes.
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Resolves to true if the user confirms. */
export function confirmed(question: string, consequence: string, yes: string): Promise<boolean> {
  return ask(question, consequence, (done) => h('div', { class: 'actions' }, button(yes, 'danger', done)));
}
