// The form that tries a method: its arguments, options of the call, the answer.

import { answerView, spoken } from './answers.js';
import { copyButton, el, fill, newId } from './dom.js';
import { ArgumentInputs } from './inputs.js';
import { CallOptions } from './options.js';
import { textOf } from './problems.js';
import { send } from './sending.js';

export class Form {
  constructor(method, catalogue) {
    this.method = method;
    this.inputs = new ArgumentInputs(method.body, catalogue.schemas);
    this.commandLine = catalogue.command;
    this.traceLink = catalogue.traceLink;
    this.options = new CallOptions(method.versions, catalogue.timeoutHeader, catalogue.authorization);
    this.running = null;
    this.curl = el('code', {});
    this.status = el('p', { class: 'hidden', role: 'status' });
    this.answer = el('div', { class: 'answer' });
    const title = newId('try');
    this.element = el(
      'section',
      { class: 'try', 'aria-labelledby': title },
      el('h2', { id: title }, 'Try it'),
      this.build(title),
      this.command(),
      this.status,
      this.answer,
    );
  }

  build(title) {
    this.sending = el('button', { type: 'submit', class: 'primary' }, 'Send');
    this.cancel = el(
      'button',
      { type: 'button', hidden: true, onclick: () => this.running?.abort() },
      'Cancel',
    );
    const clear = el('button', { type: 'button', onclick: () => this.clear() }, 'Clear');
    return el(
      'form',
      {
        class: 'form',
        novalidate: true,
        autocomplete: 'off',
        'aria-labelledby': title,
        onsubmit: (event) => {
          event.preventDefault();
          this.submit();
        },
        onkeydown: (event) => this.onKey(event),
        oninput: () => this.refresh(),
        onchange: () => this.refresh(),
        onclick: () => this.refresh(),
      },
      this.inputs.element,
      this.options.element,
      el('div', { class: 'actions' }, this.sending, this.cancel, clear),
    );
  }

  command() {
    const attributes = { class: 'code', tabindex: '0', role: 'region', 'aria-label': 'Command for a shell' };
    const copy = copyButton(() => this.curl.textContent, 'the command');
    this.details = el(
      'details',
      { class: 'curl', ontoggle: () => this.refresh() },
      el('summary', {}, 'As a command'),
      el('div', { class: 'block' }, el('pre', attributes, this.curl), el('div', { class: 'corner' }, copy)),
    );
    return this.details;
  }

  onKey(event) {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.submit();
    }
  }

  clear() {
    this.inputs.clear();
    this.options.clear();
    fill(this.answer);
    this.status.textContent = '';
    this.refresh();
  }

  /** Called whenever the form is shown. */
  update() {
    this.options.update();
    this.refresh();
  }

  refresh() {
    if (!this.details.open) return; // large arguments take time
    const url = this.options.url(this.method.url);
    const body = this.inputs.read(null);
    this.curl.textContent = this.commandLine(this.method.name, url, body, this.options.headers(null));
  }

  async submit() {
    if (this.running) return;
    const problems = [];
    const body = this.inputs.read(problems);
    const headers = this.options.headers(problems);
    if (problems.length > 0) {
      problems[0].focus();
      return;
    }
    this.running = new AbortController();
    this.setRunning(true);
    const outcome = await send(this.options.url(this.method.url), body, headers, this.running.signal);
    this.running = null;
    this.setRunning(false);
    this.show(outcome);
  }

  setRunning(running) {
    this.sending.disabled = running;
    this.sending.textContent = running ? 'Waiting…' : 'Send';
    if (!running && document.activeElement === this.cancel) this.sending.focus();
    this.cancel.hidden = !running;
    this.answer.classList.toggle('old', running);
    if (running) this.status.textContent = 'Sent';
  }

  show(outcome) {
    fill(this.answer, answerView(outcome, this.traceLink));
    this.status.textContent = spoken(outcome);
    this.answer.scrollIntoView({ block: 'nearest' });
    const path = outcome.isProblem ? textOf(outcome.value, 'path') : null;
    if (path !== null) this.inputs.mark(path, textOf(outcome.value, 'detail') ?? 'This value was refused.');
  }
}
