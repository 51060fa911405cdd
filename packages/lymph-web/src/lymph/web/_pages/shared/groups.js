// An object as a group of rows, and of groups; the outermost one is all arguments of a call.
//
// `read` and `write` are those of a row.

import { el } from './dom.js';
import { Row } from './rows.js';
import { isBytes } from './schemas.js';

const DEEPEST = 3; // groups in groups; what is deeper is a row of JSON

export class Group {
  /** `where` is the path of the object, '' for the outermost; `path` are the classes that it is in. */
  constructor(field, schemas, where = '', path = []) {
    this.name = field.name;
    this.where = where;
    this.required = field.required;
    const [only] = schemas.withoutNull(field.schema).others;
    this.fields = schemas.fields(only ?? {}).map((each) => fieldFor(each, schemas, where, path));
    this.sent = null;
    this.element = el(
      'div',
      { class: 'rows' },
      this.fields.map((each) => each.element),
    );
    if (where !== '') this.element = this.framed(schemas.words(field.schema));
  }

  framed(type) {
    const legend = el(
      'legend',
      {},
      el('span', { class: 'legend-name' }, this.name),
      ' ',
      el('span', { class: 'type' }, type),
      this.required && el('span', { class: 'required' }, ' required'),
    );
    if (this.required) return el('fieldset', {}, legend, this.element);
    this.sent = el('input', { type: 'checkbox', 'aria-label': `${this.where}: send` });
    // whoever fills in a part of it wants to send it
    this.element.addEventListener('input', () => (this.sent.checked = true));
    return el('fieldset', {}, legend, el('label', { class: 'flags' }, this.sent, ' send'), this.element);
  }

  /** Return the row at a path such as `order.lines[0].price`, or the closest one around it. */
  at(path) {
    const [name] = path.split(/[.[]/, 1);
    const field = this.fields.find((each) => each.name === name) ?? null;
    return field instanceof Group ? (field.at(path.slice(name.length + 1)) ?? field) : field;
  }

  mark(text) {
    this.fields[0]?.mark(text);
  }

  focus() {
    this.fields[0]?.focus();
  }

  read(problems) {
    if (this.sent !== null && !this.sent.checked) return undefined;
    const parts = this.fields.map((each) => [each.name, each.read(problems)]);
    const sent = parts.filter(([, text]) => text !== undefined);
    return `{${sent.map(([name, text]) => `${JSON.stringify(name)}: ${text}`).join(', ')}}`;
  }

  write(value) {
    if (value !== undefined && !(value instanceof Map)) return false;
    if (this.sent !== null) this.sent.checked = value !== undefined;
    const known = new Set(this.fields.map((each) => each.name));
    const strange = [...(value ?? new Map()).keys()].some((key) => !known.has(key));
    return this.fields.every((each) => each.write(value?.get(each.name))) && !strange;
  }
}

/** Return a group for an object with known fields, else a row. */
function fieldFor(field, schemas, where, path) {
  const { nullable, others } = schemas.withoutNull(field.schema);
  const [only] = others;
  const inner = where === '' ? field.name : `${where}.${field.name}`;
  const isObject = others.length === 1 && !nullable && !isBytes(only) && schemas.fields(only).length > 0;
  if (!isObject || path.length >= DEEPEST || path.includes(only.title)) return new Row(field, schemas, inner);
  return new Group(field, schemas, inner, [...path, only.title]);
}
