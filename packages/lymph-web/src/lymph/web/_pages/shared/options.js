// How a call is made: its deadline, its idempotency key, the version, and who calls.

import { el, newId } from './dom.js';

// the same for all methods, as long as the page is open; it is kept nowhere
let typed = '';

/** Return the header fields that all requests of the page have. */
export function sharedFields() {
  return typed.trim() ? { Authorization: typed.trim() } : {};
}

export class CallOptions {
  /**
   * `versions` are those of the method, `timeoutHeader` is the field for the deadline; `authorization` is
   * whether callers may have to say who they are.
   */
  constructor(versions, timeoutHeader, authorization) {
    this.timeoutHeader = timeoutHeader;
    this.error = el('p', { class: 'error', id: newId('error'), role: 'alert' });
    this.deadline = this.option('Deadline', { placeholder: 'seconds', inputmode: 'decimal' });
    this.key = this.option('Idempotency key', { placeholder: 'none' });
    this.authorization = authorization
      ? this.option('Authorization', { placeholder: 'none; Bearer …, for instance' })
      : null;
    this.version = versions.length > 1 ? versionChoice(versions) : null;
    const fresh = el('button', { type: 'button', class: 'small' }, 'New key');
    fresh.addEventListener('click', () => {
      this.key.input.value = newKey();
      this.summarize();
    });
    this.authorization?.input.addEventListener('input', () => {
      typed = this.authorization.input.value;
    });
    this.summary = el('summary', {}, 'Options');
    const rows = el(
      'div',
      { class: 'options' },
      this.deadline.label,
      this.version?.label,
      el('div', { class: 'wide' }, this.key.label, fresh),
      this.authorization && el('div', { class: 'wide' }, this.authorization.label),
      this.error,
    );
    this.element = el('details', { oninput: () => this.summarize() }, this.summary, rows);
  }

  /** Say which options are set, also while they are not shown. */
  summarize() {
    const set = this.all().filter(([, option]) => option.input.value.trim() !== '');
    const names = set.map(([name]) => name);
    this.summary.textContent = names.length > 0 ? `Options: ${names.join(', ')}` : 'Options';
  }

  all() {
    return [
      ['deadline', this.deadline],
      ['version', this.version],
      ['idempotency key', this.key],
      ['authorization', this.authorization],
    ].filter(([, option]) => option !== null);
  }

  option(name, attributes) {
    const input = el('input', {
      type: 'text',
      autocomplete: 'off',
      spellcheck: 'false',
      'aria-describedby': this.error.id,
      ...attributes,
    });
    input.addEventListener('input', () => this.mark(input, ''));
    return { input, label: el('label', {}, el('span', {}, name), input) };
  }

  /** Take over what was typed for other methods. */
  update() {
    if (this.authorization) this.authorization.input.value = typed;
    this.summarize();
  }

  clear() {
    for (const { input } of [this.deadline, this.key]) {
      input.value = '';
      this.mark(input, '');
    }
    if (this.version) this.version.input.value = '';
    this.summarize();
  }

  /** Return the URL of the call. */
  url(base) {
    const url = new URL(base);
    if (this.version?.input.value) url.searchParams.set('version', this.version.input.value);
    return url;
  }

  /** Return the header fields of the call. With a list, what has to be corrected is added to it. */
  headers(problems) {
    const found = { 'Content-Type': 'application/json', ...sharedFields() };
    const deadline = this.deadline.input.value.trim();
    const key = this.key.input.value.trim();
    if (deadline) found[this.timeoutHeader] = deadline;
    if (key) found['Idempotency-Key'] = inQuotes(key);
    if (problems) this.check(deadline, key, problems);
    return found;
  }

  check(deadline, key, problems) {
    const rules = [
      [
        this.deadline,
        deadline === '' || (/^\d+(\.\d+)?$/.test(deadline) && Number(deadline) > 0),
        'Deadline: expected seconds, such as 0.5.',
      ],
      [
        this.key,
        /^[ -~]{0,255}$/.test(key),
        'Idempotency key: expected at most 255 ASCII letters, digits and symbols.',
      ],
      [
        this.authorization,
        /^[ -~]*$/.test(typed.trim()),
        'Authorization: expected ASCII letters, digits and symbols.',
      ],
    ];
    for (const [option, fits, text] of rules) {
      if (fits || option === null) continue;
      this.element.open = true;
      this.mark(option.input, text);
      problems.push(option.input);
    }
  }

  mark(input, text) {
    this.error.textContent = text;
    if (text) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }
}

// the field is a string of a structured header (RFC 8941), which has quotes
function inQuotes(key) {
  return /^".*"$/.test(key) ? key : `"${key.replace(/["\\]/g, '')}"`;
}

/** Return a new key for `Idempotency-Key`; `crypto.randomUUID` would need HTTPS. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function versionChoice(versions) {
  const choices = versions.map((each) => el('option', { value: each }, each));
  const input = el('select', {}, el('option', { value: '' }, 'newest'), choices);
  return { input, label: el('label', {}, el('span', {}, 'Version'), input) };
}
