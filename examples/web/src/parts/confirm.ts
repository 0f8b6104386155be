import { button, h } from '../dom';

/** Shows a modal dialog. Resolves to true if the user confirms. Escape cancels. */
export function confirmed(question: string, consequence: string, yes: string): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = h(
      'dialog',
      { 'aria-labelledby': 'question', 'aria-describedby': 'consequence' },
      h('h2', { id: 'question' }, question),
      h('p', { id: 'consequence' }, consequence),
      h(
        'div',
        { class: 'actions' },
        button('Cancel', 'plain', () => dialog.close()),
        button(yes, 'danger', () => dialog.close('yes')),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    // The browser restores the focus when the dialog closes.
    document.body.append(dialog);
    dialog.showModal();
  });
}
