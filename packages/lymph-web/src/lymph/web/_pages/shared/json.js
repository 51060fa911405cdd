// JSON, exactly: numbers keep all their digits, keys their order, and mistakes their place.
//
//   object  Map          string   string
//   array   Array        number   JsonNumber
//   true, false, null    themselves

const DEEPEST = 200; // levels; what is nested deeper is shown as it came
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;
const SPACE = /[ \t\r\n]*/y;

/** A number as it is written: 12345678901234567890 stays what it is. */
export class JsonNumber {
  constructor(text) {
    this.text = text;
  }
}

/** A mistake in a text, with its line and column. */
export class JsonError extends Error {
  constructor(text, at, expected) {
    const before = text.slice(0, at).split('\n');
    const where = `line ${before.length}, column ${before.at(-1).length + 1}`;
    const found = at >= text.length ? 'the end' : JSON.stringify(text.slice(at, at + 10));
    super(`${where}: expected ${expected}, found ${found}`);
    this.at = at;
  }
}

/** Return whether a text is one JSON number. */
export function isNumber(text) {
  NUMBER.lastIndex = 0;
  return NUMBER.exec(text)?.[0] === text;
}

/** Return the value that a text describes. Throws JsonError, also for a key that is there twice. */
export function parse(text) {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.space();
  if (reader.at < text.length) throw new JsonError(text, reader.at, 'nothing more');
  return value;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  space() {
    this.match(SPACE);
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return null;
    this.at = pattern.lastIndex;
    return found[0];
  }

  take(character) {
    this.space();
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  need(character, expected) {
    if (!this.take(character)) throw new JsonError(this.text, this.at, expected);
  }

  value(depth) {
    if (depth > DEEPEST) throw new JsonError(this.text, this.at, `at most ${DEEPEST} levels`);
    if (this.take('{')) return this.object(depth);
    if (this.take('[')) return this.array(depth);
    const start = this.at;
    const string = this.match(STRING);
    if (string !== null) return JSON.parse(string);
    const number = this.match(NUMBER);
    if (number !== null) return new JsonNumber(number);
    const word = this.match(WORD);
    if (word !== null) return JSON.parse(word);
    const expected = this.text[start] === '"' ? 'the end of a text and valid escapes' : 'a value';
    throw new JsonError(this.text, start, expected);
  }

  object(depth) {
    const found = new Map();
    if (this.take('}')) return found;
    do {
      this.space();
      const start = this.at;
      const key = this.match(STRING);
      if (key === null) throw new JsonError(this.text, start, 'a key in double quotes');
      const name = JSON.parse(key);
      if (found.has(name)) throw new JsonError(this.text, start, 'each key once');
      this.need(':', "':'");
      found.set(name, this.value(depth + 1));
    } while (this.take(','));
    this.need('}', "',' or '}'");
    return found;
  }

  array(depth) {
    const found = [];
    if (this.take(']')) return found;
    do found.push(this.value(depth + 1));
    while (this.take(','));
    this.need(']', "',' or ']'");
    return found;
  }
}

/** Yield the parts of a value's text, each with its kind, for colors. */
export function* tokens(value, indent = '') {
  if (value instanceof JsonNumber) yield ['number', value.text];
  else if (typeof value === 'string') yield ['string', JSON.stringify(value)];
  else if (value instanceof Map || Array.isArray(value)) yield* nested(value, indent);
  else yield ['word', String(value)];
}

function* nested(value, indent) {
  const isMap = value instanceof Map;
  const [open, close] = isMap ? '{}' : '[]';
  const size = isMap ? value.size : value.length;
  if (size === 0) {
    yield ['mark', open + close];
    return;
  }
  const inner = `${indent}  `;
  let before = `${open}\n${inner}`;
  for (const entry of isMap ? value : value.entries()) {
    yield ['mark', before];
    if (isMap) {
      yield ['key', JSON.stringify(entry[0])];
      yield ['mark', ': '];
    }
    yield* tokens(entry[1], inner);
    before = `,\n${inner}`;
  }
  yield ['mark', `\n${indent}${close}`];
}

/** Return a value as text of several lines. */
export function pretty(value) {
  return [...tokens(value)].map(([, text]) => text).join('');
}

/** Return a value as text of one line. */
export function compact(value) {
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(compact).join(', ')}]`;
  if (value instanceof Map) {
    return `{${[...value].map(([key, each]) => `${JSON.stringify(key)}: ${compact(each)}`).join(', ')}}`;
  }
  return JSON.stringify(value);
}

/** Return a plain value, such as an example of a schema, in the form of this module. */
export function fromPlain(value) {
  return parse(JSON.stringify(value ?? null));
}
