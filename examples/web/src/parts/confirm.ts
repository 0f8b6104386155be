import { button, h } from '../dom';

/** Closes a dialog. `done` is what it resolves to. */
export type Close = (done: boolean) => void;

/** Shows a modal dialog. Resolves when `body` closes it, or to false on Escape. */
export function ask(question: string, consequence: string, body: (close: Close) => HTMLElement): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = h(
      'dialog',
      { 'aria-labelledby': 'question', 'aria-describedby': 'consequence' },
      h('h2', { id: 'question' }, question),
      h('p', { id: 'consequence' }, consequence),
      body((done) => dialog.close(done ? 'done' : '')),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'done');
    });
    // The browser restores the focus when the dialog closes.
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function cancelButton(close: Close): HTMLElement {
  return button('Cancel', 'plain', () => close(false));
}

/** Resolves to true if the user confirms. */
export function confirmed(question: string, consequence: string, yes: string): Promise<boolean> {
  return ask(question, consequence, (close) =>
    h('div', { class: 'actions' }, cancelButton(close), button(yes, 'danger', () => close(true))),
  );
}
