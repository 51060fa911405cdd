// Dialogs: they take the focus, and give it back at their end.

import { el } from './dom.js';

/** Ask whether to go on; returns a promise of the answer. */
export function confirmed(question, action) {
  return new Promise((resolve) => {
    const dialog = el(
      'dialog',
      { 'aria-labelledby': 'question' },
      el('p', { id: 'question' }, question),
      el(
        'form',
        { method: 'dialog', class: 'actions' },
        el('button', { value: 'no', autofocus: true }, 'Cancel'),
        el('button', { value: 'yes', class: 'danger' }, action),
      ),
    );
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'));
    openDialog(dialog);
  });
}

/** Show a dialog until it is closed. */
export function openDialog(dialog) {
  const active = document.activeElement;
  dialog.addEventListener('close', () => {
    dialog.remove();
    active?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}
