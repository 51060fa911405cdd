// Asks for the token of the dashboard, which is new each time that it is started.

import { post, Unanswered, urlOf } from './asking.js';
import { el, newId } from './dom.js';
import { heading } from './words.js';

export class SignInView {
  /** `entered()` is called when the dashboard has taken the token. */
  constructor(entered) {
    this.title = 'Token';
    const id = newId('token');
    const error = el('p', { class: 'error', id: newId('error'), role: 'alert' });
    const input = el('input', { type: 'password', id, autocomplete: 'off', 'aria-describedby': error.id });
    const form = el(
      'form',
      { class: 'sign-in', novalidate: true },
      el('label', { for: id }, 'Token, or the URL with it'),
      input,
      el('button', { type: 'submit', class: 'primary' }, 'Enter'),
      error,
    );
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      try {
        await post(urlOf('session'), { token: tokenIn(input.value.trim()) });
      } catch (problem) {
        if (!(problem instanceof Unanswered)) throw problem;
        error.textContent = problem.message;
        input.focus();
        return;
      }
      entered();
    });
    this.element = el(
      'article',
      {},
      heading('This dashboard wants its token'),
      el('p', {}, 'Open the URL that ', el('code', {}, 'lymph dashboard'), ' has printed, or paste it here.'),
      form,
    );
  }

  update() {}
}

function tokenIn(text) {
  const found = /[?&]token=([^&#]*)/.exec(text);
  return found === null ? text : found[1];
}
