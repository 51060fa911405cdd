// The form that tries a method: its arguments, options of the call, the answer.

import { answerView, spoken } from './answers.js';
import { copyButton, el, fill, newId } from './dom.js';
import { ArgumentInputs } from './inputs.js';
import { textOf } from './problems.js';
import { curlLine, newKey, send } from './sending.js';

export class Form {
  constructor(method, schemas) {
    this.method = method;
    this.inputs = new ArgumentInputs(method.body, schemas);
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
    this.refresh();
  }

  build(title) {
    this.deadline = option('Deadline', { placeholder: 'seconds', inputmode: 'decimal' });
    this.key = option('Idempotency key', { placeholder: 'none' });
    this.version = versionOption(this.method.versions);
    const fresh = el('button', { type: 'button', class: 'small', onclick: () => this.setKey() }, 'New key');
    this.sending = el('button', { type: 'submit', class: 'primary' }, 'Send');
    this.cancel = el(
      'button',
      { type: 'button', hidden: true, onclick: () => this.running?.abort() },
      'Cancel',
    );
    const clear = el('button', { type: 'button', onclick: () => this.clear() }, 'Clear');
    const key = el('div', { class: 'with-button' }, this.key.label, fresh);
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
      },
      this.inputs.element,
      el('div', { class: 'options' }, this.deadline.label, this.version?.label, key),
      el('div', { class: 'actions' }, this.sending, this.cancel, clear),
    );
  }

  command() {
    const attributes = { class: 'code', tabindex: '0', role: 'region', 'aria-label': 'Command for curl' };
    const copy = copyButton(() => this.curl.textContent, 'the command');
    return el(
      'details',
      { class: 'curl' },
      el('summary', {}, 'As a command'),
      el('div', { class: 'block' }, el('pre', attributes, this.curl), el('div', { class: 'corner' }, copy)),
    );
  }

  onKey(event) {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.submit();
    }
  }

  setKey() {
    this.key.input.value = newKey();
    this.refresh();
  }

  clear() {
    this.inputs.clear();
    for (const each of [this.deadline, this.key, this.version]) if (each) each.input.value = '';
    fill(this.answer);
    this.status.textContent = '';
    this.refresh();
  }

  refresh() {
    this.curl.textContent = curlLine(this.url(), this.inputs.read(null), this.options());
  }

  url() {
    const url = new URL(this.method.url);
    const { version } = this.options();
    if (version) url.searchParams.set('version', version);
    return url;
  }

  options() {
    return {
      deadline: this.deadline.input.value.trim(),
      key: this.key.input.value.trim(),
      version: this.version?.input.value ?? '',
    };
  }

  async submit() {
    if (this.running) return;
    const problems = [];
    const body = this.inputs.read(problems);
    if (problems.length > 0) {
      problems[0].focus();
      return;
    }
    this.running = new AbortController();
    this.setRunning(true);
    const outcome = await send(this.url(), body, this.options(), this.running.signal);
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
    fill(this.answer, answerView(outcome));
    this.status.textContent = spoken(outcome);
    this.answer.scrollIntoView({ block: 'nearest' });
    const path = outcome.isProblem ? textOf(outcome.value, 'path') : null;
    if (path !== null) this.inputs.mark(path, textOf(outcome.value, 'detail') ?? 'This value was refused.');
  }
}

function option(name, attributes) {
  const input = el('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', ...attributes });
  return { input, label: el('label', {}, el('span', {}, name), input) };
}

/** Return the choice of a version; null where there is nothing to choose. */
function versionOption(versions) {
  if (versions.length < 2) return null;
  const choices = versions.map((each) => el('option', { value: each }, each));
  const input = el('select', {}, el('option', { value: '' }, 'newest'), choices);
  return { input, label: el('label', {}, el('span', {}, 'Version'), input) };
}
