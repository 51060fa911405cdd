// What is shown before a method is chosen, and instead of one: the interfaces, or what went wrong.

import { HOME } from './catalogue.js';
import { el, prose } from './dom.js';

/** Return the first view: what there is. */
export function overview(catalogue) {
  const count = catalogue.methods.size;
  return el(
    'article',
    { class: 'overview' },
    el('h1', { tabindex: '-1' }, catalogue.title),
    catalogue.help && el('div', { class: 'help' }, prose(catalogue.help)),
    count === 0 ? nothing() : table(catalogue),
    el(
      'p',
      {},
      'For programs: ',
      el('a', { href: new URL('openapi.json', HOME).href }, 'openapi.json'),
      ' (OpenAPI 3.1)',
    ),
    catalogue.hasTools &&
      el('p', {}, 'For language models: ', el('code', {}, new URL('mcp', HOME).href), ' (Model Context Protocol)'),
  );
}

function table(catalogue) {
  return catalogue.interfaces.map((each) =>
    el(
      'section',
      {},
      el('h2', {}, each.name),
      each.help && el('div', { class: 'help' }, prose(each.help)),
      el(
        'ul',
        { class: 'methods', role: 'list' },
        each.methods.map((method) =>
          el(
            'li',
            {},
            el('a', { href: `#${method.name}` }, method.short),
            method.summary && el('span', { class: 'summary' }, method.summary),
          ),
        ),
      ),
    ),
  );
}

function nothing() {
  return el(
    'div',
    { class: 'notice' },
    el('h2', {}, 'No methods'),
    el('p', {}, 'None of the services that are running has a method that this gateway may call.'),
    el(
      'p',
      {},
      'Start the services, or check the key ',
      el('code', {}, 'allow'),
      " of the gateway's configuration, then reload.",
    ),
  );
}

/** Return the view while the document is fetched. */
export function loading() {
  return el('p', { class: 'faint loading', role: 'status' }, 'Loading the methods…');
}

/** Return the view of an error, with a button that tries again. */
export function failed(error, again) {
  return el(
    'div',
    { class: 'notice bad', role: 'alert' },
    el('h1', { tabindex: '-1' }, 'The methods cannot be shown'),
    el('p', {}, error.message),
    el('p', {}, el('button', { type: 'button', onclick: again }, 'Try again')),
  );
}

/** Return the view of a method whose description is malformed. */
export function broken(name) {
  return el(
    'div',
    { class: 'notice bad' },
    el('h1', { tabindex: '-1' }, name),
    el('p', {}, 'This method cannot be shown: its description is not what was expected.'),
  );
}

/** Return the view of an address of no known method. */
export function unknown(name) {
  return el(
    'div',
    { class: 'notice' },
    el('h1', { tabindex: '-1' }, 'Not found'),
    el(
      'p',
      {},
      'There is no method ',
      el('code', {}, name.slice(0, 200)),
      ' here. Its service may be down, or the gateway may not call it.',
    ),
    el('p', {}, el('a', { href: '#' }, 'All methods')),
  );
}
