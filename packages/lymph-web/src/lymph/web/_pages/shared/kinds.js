// Kinds of fields: from what is typed into a control to JSON text, and back.
//
//   control(schema)   a new control
//   read(raw)         the JSON text of what was typed; throws FieldError
//   show(value)       what to put into the control for a value; null if it cannot show this value

import { el } from './dom.js';
import { compact, fromPlain, isNumber, JsonError, JsonNumber, parse, pretty } from './json.js';
import { isBytes, momentOf } from './schemas.js';

/** What was typed does not fit; the text is for whoever typed it. */
export class FieldError extends Error {}

const area = (properties) =>
  el('textarea', { rows: '1', spellcheck: 'false', autocapitalize: 'off', ...properties });

const text = {
  control: (schema) => area({ placeholder: momentOf(schema.format) }),
  read: (raw) => JSON.stringify(raw),
  show: (value) => (typeof value === 'string' ? value : null),
};

const day = {
  control: () => el('input', { type: 'date' }),
  read: text.read,
  show: (value) => (typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) ? value : null),
};

const number = {
  control: (schema) =>
    el('input', {
      type: 'text',
      inputmode: schema.type === 'integer' ? 'numeric' : 'decimal',
      autocomplete: 'off',
    }),
  read(raw) {
    const typed = raw.trim();
    if (!isNumber(typed)) throw new FieldError('Expected a number, such as 12 or -0.5.');
    return typed;
  },
  show: (value) => (value instanceof JsonNumber ? value.text : null),
};

const json = {
  control: () => area({ class: 'mono' }),
  read(raw) {
    try {
      return compact(parse(raw));
    } catch (error) {
      if (error instanceof JsonError) throw new FieldError(`Expected JSON: ${error.message}`);
      throw error;
    }
  },
  show: (value) => pretty(value),
};

// where everything fits, text needs no quotes unless it looks like JSON
const any = {
  control: () => area({ class: 'mono', placeholder: 'text, or any JSON' }),
  read(raw) {
    try {
      return compact(parse(raw));
    } catch (error) {
      if (!(error instanceof JsonError) || /^\s*[[{"]/.test(raw)) return json.read(raw);
      return JSON.stringify(raw);
    }
  },
  show: (value) =>
    typeof value === 'string' && any.read(value) === JSON.stringify(value) ? value : pretty(value),
};

const bytes = {
  control: () => area({ class: 'mono', placeholder: 'base64' }),
  read(raw) {
    const typed = raw.replace(/\s/g, '');
    if (!/^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(typed)) {
      throw new FieldError('Expected bytes in base64.');
    }
    return `{"$bytes": "${typed}"}`;
  },
  show: (value) =>
    value instanceof Map && typeof value.get('$bytes') === 'string' ? value.get('$bytes') : null,
};

// the values of the options are JSON texts; the first one is "nothing chosen"
function choice(values) {
  const texts = values.map((each) => compact(fromPlain(each)));
  return {
    control: () =>
      el(
        'select',
        {},
        el('option', { value: '' }, ''),
        texts.map((each, n) =>
          el('option', { value: each }, typeof values[n] === 'string' ? values[n] : each),
        ),
      ),
    read: (raw) => raw,
    show: (value) => (texts.includes(compact(value)) ? compact(value) : null),
  };
}

/** Return the kind of field for a schema; objects with fields are groups instead. */
export function kindOf(schema, schemas) {
  const { nullable, others } = schemas.withoutNull(schema);
  const end = nullable ? [null] : [];
  const values = others.map((each) =>
    'const' in each ? [each.const] : (each.enum ?? (each.type === 'boolean' ? [true, false] : null)),
  );
  if (others.length > 0 && values.every(Array.isArray)) return choice([...values.flat(), ...end]);
  if (others.length !== 1) return others.every(isDecimal) && others.length > 0 ? text : json;
  const [only] = others;
  if (isBytes(only)) return bytes;
  if (only.type === 'integer' || only.type === 'number') return number;
  if (only.type === 'string') return only.format === 'date' ? day : text;
  return only.type === undefined ? any : json;
}

/** Return whether nothing typed may mean the text '', for a kind and its schema. */
export function mayBeEmpty(kind, schema) {
  return kind === text && schema?.type === 'string' && schema.format === undefined;
}

/** Return whether a kind has its own way to write null. */
export function writesNull(kind) {
  return ![text, day, number, bytes].includes(kind);
}

function isDecimal(schema) {
  return schema.type === 'string' || schema.type === 'number';
}
