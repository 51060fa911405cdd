// The arguments of a call, as fields or as JSON: what is typed into one is shown by the other.

import { el, newId } from './dom.js';
import { Group } from './groups.js';
import { compact, fromPlain, JsonError, parse, pretty } from './json.js';

export class ArgumentInputs {
  /** `body` is the schema of the object with all arguments. */
  constructor(body, schemas) {
    this.example = pretty(fromPlain(schemas.example(body) ?? {}));
    this.fields = new Group({ name: '', schema: body, required: true }, schemas);
    this.hasFields = this.fields.fields.length > 0;
    this.takesAny = schemas.takesOthers(body);
    this.asJson = !this.hasFields && this.takesAny;
    this.error = el('p', { class: 'error', id: newId('error'), role: 'alert' });
    this.json = el('textarea', {
      id: newId('json'),
      class: 'mono editor',
      rows: '6',
      spellcheck: 'false',
      autocapitalize: 'off',
      'aria-describedby': this.error.id,
    });
    this.json.value = this.example;
    this.jsonArea = el(
      'div',
      { class: 'row' },
      el('label', { for: this.json.id }, 'Arguments as a JSON object'),
      this.json,
    );
    this.element = el(
      'div',
      { class: 'inputs' },
      this.hasFields && this.modes(),
      !this.hasFields && !this.takesAny && el('p', { class: 'faint' }, 'It takes no arguments.'),
      this.fields.element,
      this.jsonArea,
      this.error,
    );
    this.show();
  }

  modes() {
    const group = newId('mode');
    this.radios = [false, true].map((json) => {
      const radio = el('input', { type: 'radio', name: group, onchange: () => this.switchTo(json) });
      radio.checked = json === this.asJson;
      return radio;
    });
    const [fields, json] = this.radios;
    return el(
      'fieldset',
      { class: 'modes' },
      el('legend', { class: 'hidden' }, 'Arguments'),
      el('label', {}, fields, el('span', {}, 'Fields')),
      el('label', {}, json, el('span', {}, 'JSON')),
    );
  }

  show() {
    this.fields.element.hidden = this.asJson;
    this.jsonArea.hidden = !this.asJson;
  }

  /** Show the arguments as JSON or as fields; what cannot be shown as fields stays JSON. */
  switchTo(json) {
    this.error.textContent = '';
    if (json) this.json.value = pretty(parse(this.fields.read(null)));
    this.asJson = json || !this.toFields();
    this.radios[Number(this.asJson)].checked = true;
    this.show();
  }

  toFields() {
    try {
      if (this.fields.write(parse(this.json.value))) return true;
      this.fields.write(new Map());
      this.error.textContent = 'The fields cannot show these arguments, so they stay JSON.';
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      this.error.textContent = error.message;
    }
    return false;
  }

  clear() {
    this.fields.write(new Map());
    this.json.value = this.example;
    this.error.textContent = '';
  }

  /** Return the JSON text. With a list, what has to be corrected is marked and added to it. */
  read(problems) {
    if (problems) this.error.textContent = '';
    if (!this.asJson) return this.fields.read(problems);
    const text = this.json.value;
    try {
      const value = parse(text);
      if (!(value instanceof Map)) throw new JsonError(text, 0, 'an object, such as {"text": "foo"}');
      return compact(value);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      if (problems) {
        this.error.textContent = error.message;
        problems.push(this.json);
      }
      return text;
    }
  }

  /** Mark the argument at a path such as `order.lines[0].price`, as far as it has a field. */
  mark(path, text) {
    if (!this.asJson) this.fields.at(path)?.mark(text);
  }
}
