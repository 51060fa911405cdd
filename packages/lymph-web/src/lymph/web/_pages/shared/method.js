// What is to know about a method, and below or beside it the form to try it.

import { el, prose, withCode } from './dom.js';
import { Form } from './form.js';
import { isBytes } from './schemas.js';

const DEEPEST = 6; // levels of fields that can be opened

/** Return the view of a method. */
export function methodView(method, catalogue) {
  const { schemas } = catalogue;
  const form = catalogue.callable ? new Form(method, catalogue) : null;
  const element = el(
    'article',
    { class: 'method' },
    el(
      'div',
      { class: 'about' },
      el(
        'h1',
        { tabindex: '-1' },
        el('span', { class: 'owner' }, `${method.interface}.`),
        el('wbr'),
        method.short,
      ),
      el('p', { class: 'badges' }, badges(method)),
      signature(method, schemas),
      method.schemaProblem &&
        el('p', { class: 'facts' }, `Its types are not known: ${method.schemaProblem}.`),
      method.help
        ? el('div', { class: 'help' }, prose(method.help))
        : el('p', { class: 'faint' }, 'No description.'),
      parameters(method, schemas),
      result(method, schemas),
      errors(method, schemas),
    ),
    form?.element,
  );
  return { element, update: () => form?.update() };
}

function badges(method) {
  const word = method.idempotent
    ? el(
        'span',
        { class: 'badge good', title: 'Calling it twice does the same as calling it once.' },
        'idempotent',
      )
    : el('span', { class: 'badge', title: 'Calling it twice may do something twice.' }, 'not idempotent');
  const versions = method.versions.map((each) => el('span', { class: 'badge' }, `version ${each}`));
  return [word, versions, method.deprecated && el('span', { class: 'badge bad' }, 'deprecated')];
}

function signature(method, schemas) {
  const fields = schemas.fields(method.body);
  const names = fields.flatMap((each, number) => [
    number > 0 && ', ',
    el(
      'span',
      { class: 'nowrap' },
      `${each.name}${each.required ? '' : '?'}: `,
      el('i', {}, schemas.words(each.schema)),
    ),
  ]);
  if (schemas.takesOthers(method.body)) names.push(fields.length > 0 && ', ', '…');
  const gives = method.result === undefined ? null : [' → ', el('i', {}, schemas.words(method.result))];
  return el('p', { class: 'signature' }, `${method.short}(`, names, ')', gives);
}

function parameters(method, schemas) {
  const fields = schemas.fields(method.body);
  const others = schemas.takesOthers(method.body);
  const nothing = fields.length === 0 && !others;
  return el(
    'section',
    {},
    el('h2', {}, 'Parameters'),
    nothing && el('p', {}, 'None.'),
    fields.length > 0 && fieldList(fields, schemas, []),
    others &&
      el(
        'p',
        { class: 'others' },
        fields.length > 0 ? 'It takes other arguments too.' : 'It takes any arguments.',
      ),
  );
}

function fieldList(fields, schemas, path) {
  return el(
    'dl',
    { class: 'fields' },
    fields.map((each) => fieldItem(each, schemas, path)),
  );
}

function fieldItem(field, schemas, path) {
  const known = schemas.resolve(field.schema);
  const facts = schemas.limits(field.schema);
  if (!field.required && known !== false && 'default' in known) {
    facts.unshift(['default ', el('code', {}, JSON.stringify(known.default))]);
  }
  return el(
    'div',
    {},
    el(
      'dt',
      {},
      el('code', { class: 'name' }, field.name),
      ' ',
      el('span', { class: 'type' }, schemas.words(field.schema)),
      ' ',
      el(
        'span',
        { class: field.required ? 'required' : 'optional' },
        field.required ? 'required' : 'optional',
      ),
    ),
    el(
      'dd',
      {},
      known !== false &&
        known.description &&
        ownHelp(field.schema) &&
        el('p', {}, withCode(known.description)),
      facts.length > 0 &&
        el(
          'p',
          { class: 'facts' },
          facts.flatMap((each, n) => [n > 0 && ' · ', each]),
        ),
      inside(field.schema, schemas, path),
    ),
  );
}

// the docstring of a class stands with its fields, not with each parameter of this class
function ownHelp(schema) {
  return typeof schema.description === 'string';
}

/** Return what can be opened to see the classes inside a schema, or nothing. */
function inside(schema, schemas, path) {
  return classesIn(schema, schemas, 0).map((each) => {
    const title = each.title ?? 'its fields';
    if (path.length >= DEEPEST || path.includes(each.title)) {
      return el('p', { class: 'facts' }, `${title}: see above`);
    }
    const details = el('details', {}, el('summary', {}, title));
    // made when it is opened: classes may contain each other without an end
    details.addEventListener(
      'toggle',
      () => {
        const inner = [...path, each.title];
        details.append(
          ...[each.description && el('div', { class: 'help' }, prose(each.description))].filter(Boolean),
          fieldList(schemas.fields(each), schemas, inner),
        );
      },
      { once: true },
    );
    return details;
  });
}

function classesIn(schema, schemas, depth) {
  if (depth > DEEPEST) return [];
  return schemas.alternatives(schema).flatMap((each) => {
    if (isBytes(each)) return [];
    if (schemas.fields(each).length > 0) return [each];
    const inner = [each.items, each.additionalProperties, ...(each.prefixItems ?? [])];
    return inner
      .filter((one) => typeof one === 'object' && one !== null)
      .flatMap((one) => classesIn(one, schemas, depth + 1));
  });
}

function result(method, schemas) {
  if (method.result === undefined) return null;
  return el(
    'section',
    {},
    el('h2', {}, 'Result'),
    el('p', {}, el('span', { class: 'type' }, schemas.words(method.result))),
    inside(method.result, schemas, []),
  );
}

function errors(method, schemas) {
  if (method.errors.length === 0) return null;
  return el(
    'section',
    {},
    el('h2', {}, 'Errors'),
    method.raises.length > 0 &&
      el(
        'p',
        {},
        'It raises ',
        method.raises.map((each, n) => [n > 0 && ', ', el('code', {}, each)]),
        '.',
      ),
    el(
      'details',
      {},
      el('summary', {}, 'Statuses'),
      el(
        'dl',
        { class: 'statuses' },
        method.errors.map(([status, response]) =>
          el(
            'div',
            {},
            el('dt', {}, status === 'default' ? 'other' : status),
            el('dd', {}, withCode(response.description ?? '')),
          ),
        ),
      ),
    ),
  );
}
