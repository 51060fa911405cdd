// One argument of a call as a row of the form.
//
//   read(problems)   the JSON text, undefined if it is not sent. With a list, a row that does not fit is
//                    marked and added to it; with null, what was typed is sent as it is.
//   write(value)     show a value, undefined for nothing; returns whether the row can

import { el, newId } from './dom.js';
import { FieldError, kindOf, mayBeEmpty, writesNull } from './kinds.js';

export class Row {
  /** `where` is the path of the argument, such as `order.day`. */
  constructor(field, schemas, where) {
    this.name = field.name;
    this.where = where;
    this.required = field.required;
    this.kind = kindOf(field.schema, schemas);
    const known = schemas.resolve(field.schema);
    const { nullable, others } = schemas.withoutNull(known);
    this.mayBeEmpty = mayBeEmpty(this.kind, others[0]);
    this.control = this.kind.control(others[0] ?? {});
    this.showDefault('default' in known ? `default ${JSON.stringify(known.default)}` : null);
    // what is left out means the default, so these say the same only where the default is another
    const asksEmpty = this.mayBeEmpty && !field.required && known.default !== '';
    const asksNull = nullable && !writesNull(this.kind) && (field.required || known.default !== null);
    this.empty = asksEmpty ? this.flag('send even if empty') : null;
    this.null = asksNull ? this.flag('null') : null;
    this.error = el('p', { class: 'error', id: newId('error') });
    this.element = this.build(schemas.words(field.schema));
    this.control.addEventListener('input', () => this.mark(''));
    this.null?.box.addEventListener('change', () => this.enable());
  }

  build(type) {
    const hint = newId('hint');
    this.control.id = newId('field');
    this.control.setAttribute('aria-describedby', `${hint} ${this.error.id}`);
    if (this.required) this.control.setAttribute('aria-required', 'true');
    const flags = [this.empty, this.null].filter((each) => each !== null);
    return el(
      'div',
      { class: 'row' },
      el(
        'div',
        { class: 'label' },
        el('label', { for: this.control.id }, this.name),
        ' ',
        el(
          'span',
          { class: 'type', id: hint },
          type,
          this.required && el('span', { class: 'required' }, ' required'),
        ),
      ),
      this.control,
      flags.length > 0 &&
        el(
          'div',
          { class: 'flags' },
          flags.map((each) => each.label),
        ),
      this.error,
    );
  }

  showDefault(text) {
    const blank = this.control.querySelector('option');
    if (blank !== null) blank.textContent = this.required ? 'choose' : (text ?? 'not sent');
    else if (text !== null && !this.control.placeholder) this.control.placeholder = text;
  }

  flag(text) {
    const box = el('input', { type: 'checkbox', 'aria-label': `${this.where}: ${text}` });
    return { box, label: el('label', {}, box, ` ${text}`) };
  }

  mark(text) {
    this.error.textContent = text;
    if (text) this.control.setAttribute('aria-invalid', 'true');
    else this.control.removeAttribute('aria-invalid');
  }

  enable() {
    this.control.disabled = this.null?.box.checked ?? false;
    this.mark('');
  }

  focus() {
    this.control.focus();
  }

  read(problems) {
    if (this.null?.box.checked) return 'null';
    const raw = this.control.value;
    if (raw === '' || (raw.trim() === '' && !this.mayBeEmpty)) {
      if (this.mayBeEmpty && (this.required || this.empty?.box.checked)) return '""';
      if (this.required && problems) this.refuse('A value is needed.', problems);
      return undefined;
    }
    try {
      return this.kind.read(raw);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      if (problems) this.refuse(error.message, problems);
      return JSON.stringify(raw);
    }
  }

  refuse(text, problems) {
    this.mark(text);
    problems.push(this);
  }

  write(value) {
    const asNull = value === null && this.null !== null;
    const shown = value === undefined || asNull ? '' : this.kind.show(value);
    if (shown === null) return false;
    this.control.value = shown;
    if (this.empty) this.empty.box.checked = value === '';
    if (this.null) this.null.box.checked = asNull;
    this.enable();
    return this.control.value === shown;
  }
}
