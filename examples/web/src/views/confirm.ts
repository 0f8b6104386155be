import { button, h } from '../dom';

/** Asks in a modal dialog. Escape means no. The browser restores the focus afterwards. */
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
    document.body.append(dialog);
    dialog.showModal();
  });
}
