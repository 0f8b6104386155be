import { button } from '../dom';
import { asFailure } from '../failure';
import { clear, showFailure } from '../notices';

/**
 * A button that runs `action`, unless it is running already, and shows its failure. `object` completes the
 * label for screen readers, if the view has several buttons with the same label.
 */
export function actionButton(label: string, kind: string, object: string | undefined, action: () => Promise<void>): HTMLButtonElement {
  let busy = false;
  const element = button(label, kind, async () => {
    if (busy) return;
    busy = true;
    clear();
    try {
      await action();
    } catch (failure) {
      showFailure(asFailure(failure));
    } finally {
      busy = false;
    }
  });
  if (object) element.ariaLabel = `${label} “${object}”`;
  return element;
}
