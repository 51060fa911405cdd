// The keys, and a switch for those that are single letters (WCAG 2.2, 2.1.4).

import { openDialog } from './dialogs.js';
import { el } from './dom.js';

const KEPT = 'lymph-keys';

/** Return whether single keys do something. */
export function keysAreOn() {
  try {
    return localStorage.getItem(KEPT) !== 'off';
  } catch {
    return true;
  }
}

/** Show a dialog with the keys; `views` are `{key, title}`. */
export function showHelp(views) {
  const on = el('input', { type: 'checkbox' });
  on.checked = keysAreOn();
  on.addEventListener('change', () => {
    try {
      localStorage.setItem(KEPT, on.checked ? 'on' : 'off');
    } catch {
      // then they stay on
    }
  });
  const rows = [
    ...views.map((each) => [each.key, each.title]),
    ['/', 'filter what is shown'],
    ['Ctrl Enter', 'send a call, in its form'],
    ['p', 'pause the log, or go on'],
    ['?', 'these keys'],
    ['Esc', 'close a dialog'],
  ];
  const dialog = el(
    'dialog',
    { 'aria-labelledby': 'keys-title' },
    el('h2', { id: 'keys-title' }, 'Keys'),
    el(
      'dl',
      { class: 'key-list' },
      rows.map(([key, text]) =>
        el(
          'div',
          {},
          el(
            'dt',
            {},
            key.split(' ').map((each) => [el('kbd', {}, each), ' ']),
          ),
          el('dd', {}, text),
        ),
      ),
    ),
    el('p', {}, el('label', { class: 'flags' }, on, ' single keys do something')),
    el('form', { method: 'dialog' }, el('button', { class: 'primary' }, 'Close')),
  );
  openDialog(dialog);
}
