// JSON Schema for readers: the words for a type, its limits, an example to start from.
//
// A schema may be `true` or `false`, and it may refer to others by `$ref` into the document.

const DEEPEST = 4; // levels of an example
const NESTED = 8; // alternatives inside alternatives
const MOMENTS = {
  date: '2026-01-31',
  'date-time': '2026-01-31T12:00:00Z',
  time: '12:00:00Z',
  uuid: '00000000-0000-4000-8000-000000000000',
};

export class Schemas {
  /** `root` is the document in which references are looked up. */
  constructor(root) {
    this.root = root;
  }

  /** Return a schema without references; what stands beside a reference comes first. */
  resolve(schema) {
    let known = schema;
    let beside = {};
    for (let hops = 0; hops < 20 && isObject(known) && typeof known.$ref === 'string'; hops += 1) {
      const { $ref, ...others } = known;
      beside = { ...others, ...beside };
      known = this.find($ref);
    }
    if (!isObject(known)) return known === false ? false : { ...beside };
    return { ...known, ...beside };
  }

  find(reference) {
    if (!reference.startsWith('#/')) return {};
    let found = this.root;
    for (const part of reference.slice(2).split('/')) {
      const key = decode(part).replaceAll('~1', '/').replaceAll('~0', '~');
      if (!isObject(found) && !Array.isArray(found)) return {};
      found = Object.hasOwn(found, key) ? found[key] : {};
    }
    return found;
  }

  /** Return the alternatives of a schema, resolved; one without alternatives is its own. */
  alternatives(schema, depth = 0) {
    const known = this.resolve(schema);
    if (known === false || depth > NESTED) return [];
    const { anyOf, oneOf, ...beside } = known;
    const choices = anyOf ?? oneOf;
    if (Array.isArray(choices)) {
      const only = choices.length === 1 ? beside : {};
      const found = choices.flatMap((each) => this.alternatives(each, depth + 1));
      return found.map((each) => ({ ...each, ...only }));
    }
    if (Array.isArray(known.type)) return known.type.map((type) => ({ ...known, type }));
    return [known];
  }

  /** Return whether null fits, and the alternatives that are not null. */
  withoutNull(schema) {
    const all = this.alternatives(schema);
    const isNull = (each) => each.type === 'null' || each.const === null;
    return { nullable: all.some(isNull), others: all.filter((each) => !isNull(each)) };
  }

  /** Return the words for a type, such as `list of Line, or null`. */
  words(schema, depth = 0) {
    const all = this.alternatives(schema).map((each) => this.wordsOfOne(each, depth));
    const different = [...new Set(all)];
    if (different.length === 0) return 'nothing';
    if (different.length < 3) return different.join(' or ');
    return `${different.slice(0, -1).join(', ')} or ${different.at(-1)}`;
  }

  wordsOfOne(schema, depth) {
    if (isBytes(schema)) return 'bytes';
    if (Array.isArray(schema.enum))
      return schema.title ?? schema.enum.map((each) => JSON.stringify(each)).join(' or ');
    if ('const' in schema) return JSON.stringify(schema.const);
    if (schema.type === 'array') {
      if (Array.isArray(schema.prefixItems) && depth < DEEPEST) {
        return `list (${schema.prefixItems.map((each) => this.words(each, depth + 1)).join(', ')})`;
      }
      if (schema.items === undefined || depth >= DEEPEST) return schema.title ?? 'list';
      return `list of ${this.words(schema.items, depth + 1)}`;
    }
    if (schema.type === 'object' && !schema.title) {
      const values = schema.additionalProperties;
      if (isObject(values) && !schema.properties && depth < DEEPEST)
        return `map of ${this.words(values, depth + 1)}`;
      return 'object';
    }
    return schema.title ?? schema.format ?? schema.type ?? 'any';
  }

  /** Return the limits of a schema as short phrases. */
  limits(schema) {
    return this.alternatives(schema).flatMap((each) => (isBytes(each) ? [] : limitsOf(each)));
  }

  /** Return the fields of an object schema: `{name, schema, required}`; none for others. */
  fields(schema) {
    const known = this.resolve(schema);
    if (!isObject(known) || !isObject(known.properties) || isBytes(known)) return [];
    const required = new Set(known.required ?? []);
    return Object.entries(known.properties)
      .filter(([, each]) => each !== false)
      .map(([name, each]) => ({ name, schema: each, required: required.has(name) }));
  }

  /** Return whether an object may have fields that its schema does not name. */
  takesOthers(schema) {
    const known = this.resolve(schema);
    return known !== false && known.additionalProperties !== false;
  }

  /** Return a plain value that shows what a schema looks like: its required fields only. */
  example(schema, depth = 0) {
    const known = this.resolve(schema);
    if (known === false) return null;
    for (const key of ['example', 'default', 'const']) if (key in known) return known[key];
    if (Array.isArray(known.examples) && known.examples.length > 0) return known.examples[0];
    const { others } = this.withoutNull(known);
    return others.length === 0 || depth > DEEPEST ? null : this.exampleOfOne(others[0], depth);
  }

  exampleOfOne(schema, depth) {
    if ('default' in schema) return schema.default;
    if (isBytes(schema)) return { $bytes: '' };
    if (Array.isArray(schema.enum)) return schema.enum[0];
    if (schema.type === 'object') {
      const needed = this.fields(schema).filter((each) => each.required);
      return Object.fromEntries(needed.map((each) => [each.name, this.example(each.schema, depth + 1)]));
    }
    if (schema.type === 'array') {
      const count = schema.minItems ?? 0;
      const items = schema.prefixItems ?? Array(Math.min(count, 3)).fill(schema.items ?? {});
      return items.map((each) => this.example(each, depth + 1));
    }
    if (schema.type === 'string') return MOMENTS[schema.format] ?? '';
    if (schema.type === 'integer' || schema.type === 'number') return schema.minimum ?? 0;
    return schema.type === 'boolean' ? false : null;
  }
}

/** Return an example of a text in a format, '' for others. */
export function momentOf(format) {
  return MOMENTS[format] ?? '';
}

/** Return whether a schema is that of bytes: an object with the one field `$bytes`. */
export function isBytes(schema) {
  return isObject(schema.properties) && Object.hasOwn(schema.properties, '$bytes');
}

export function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function limitsOf(schema) {
  const phrases = {
    minimum: (n) => `at least ${n}`,
    exclusiveMinimum: (n) => `above ${n}`,
    maximum: (n) => `at most ${n}`,
    exclusiveMaximum: (n) => `below ${n}`,
    multipleOf: (n) => `a multiple of ${n}`,
    minLength: (n) => `at least ${counted(n, 'character')}`,
    maxLength: (n) => `at most ${counted(n, 'character')}`,
    minItems: (n) => (schema.prefixItems || n === 0 ? null : `at least ${counted(n, 'item')}`),
    maxItems: (n) => (schema.prefixItems ? null : `at most ${counted(n, 'item')}`),
    minProperties: (n) => `at least ${counted(n, 'key')}`,
    maxProperties: (n) => `at most ${counted(n, 'key')}`,
    pattern: (text) => (String(text).length < 60 ? `matches ${text}` : null),
  };
  return Object.entries(phrases)
    .filter(([key]) => key in schema && !isBeyond(schema[key]))
    .map(([key, phrase]) => phrase(schema[key]))
    .filter((phrase) => phrase !== null);
}

// the bounds of all integers on the wire, 64 bits, say nothing about an argument
function isBeyond(limit) {
  return typeof limit === 'number' && Math.abs(limit) > Number.MAX_SAFE_INTEGER;
}

function counted(count, word) {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
