// Methods by interface, and a form to call one of them.

import { CatalogueError, HOME, load } from './catalogue.js';
import { el, fill, newId } from './dom.js';
import { methodView } from './method.js';
import { quoted } from './sending.js';
import { plural } from './units.js';
import { heading, notice } from './words.js';

/** The methods that can be called, read when somebody wants to see them. */
export class Methods {
  constructor() {
    this.catalogue = null;
    this.views = new Map(); // what was typed into a form stays while others are looked at
  }

  async load(readOnly) {
    const found = await load({
      home: new URL('api/', HOME),
      callable: !readOnly,
      authorization: false,
      command: requestLine,
      traceLink: (id) => `#/traces/${encodeURIComponent(id)}`,
    });
    this.catalogue = found;
    this.views = new Map();
    return found;
  }

  view(name) {
    const method = this.catalogue.methods.get(name);
    if (method === undefined) return null;
    if (!this.views.has(name)) this.views.set(name, methodView(method, this.catalogue));
    return this.views.get(name);
  }
}

function requestLine(name, _url, body) {
  return `lymph request ${quoted(name)} ${quoted(body)}`;
}

export class CallView {
  constructor(live, methods, name) {
    this.live = live;
    this.methods = methods;
    this.name = name;
    this.title = name === '' ? 'Call a method' : name;
    this.content = el('div', {});
    this.element = el('article', { class: 'calls' }, this.content);
    this.begin();
  }

  begin() {
    if (this.methods.catalogue !== null) this.show();
    else this.reload();
  }

  async reload() {
    fill(
      this.content,
      heading('Call a method'),
      el('p', { class: 'faint', role: 'status' }, 'Asking for the methods…'),
    );
    try {
      await this.live.ready;
      await this.methods.load(this.live.hello.read_only);
      this.show();
    } catch (error) {
      if (!(error instanceof CatalogueError)) throw error;
      fill(
        this.content,
        heading('Call a method'),
        notice('bad', 'The methods cannot be shown', el('p', {}, error.message), this.again()),
      );
    }
  }

  again() {
    return el('button', { type: 'button', class: 'small', onclick: () => this.reload() }, 'Ask again');
  }

  show() {
    if (this.name === '') fill(this.content, this.list());
    else fill(this.content, this.above(), this.method());
  }

  above() {
    return el('p', { class: 'above' }, el('a', { href: '#/call' }, 'All methods'), ' ', this.again());
  }

  method() {
    let view = null;
    try {
      view = this.methods.view(this.name);
    } catch (error) {
      console.warn(error); // services describe themselves: one that does it badly must not break the page
      return [
        heading(this.name),
        notice('bad', 'It cannot be shown', el('p', {}, 'Its description is not what was expected.')),
      ];
    }
    if (view === null)
      return [
        heading(this.name),
        notice(
          '',
          'Not there',
          el('p', {}, 'No running service has this method. If it has been started just now, ask again.'),
        ),
      ];
    view.update();
    return [this.live.hello.read_only && readOnly(), view.element];
  }

  list() {
    const { interfaces } = this.methods.catalogue;
    const filter = el('input', {
      type: 'search',
      id: newId('filter'),
      placeholder: 'Filter',
      autocomplete: 'off',
      spellcheck: 'false',
      'aria-keyshortcuts': '/',
    });
    const counted = el('p', { class: 'count', role: 'status' });
    const groups = interfaces.map((each) => group(each));
    const apply = () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      const shown = groups.reduce((count, each) => count + each.apply(words), 0);
      counted.textContent = plural(shown, 'method');
    };
    filter.addEventListener('input', apply);
    apply();
    return [
      heading('Call a method'),
      this.live.hello.read_only && readOnly(),
      el(
        'div',
        { class: 'controls', role: 'search' },
        el('label', { class: 'hidden', for: filter.id }, 'Filter methods'),
        filter,
        counted,
        this.again(),
      ),
      interfaces.length === 0 && notice('', 'No methods', el('p', {}, 'No service with methods is running.')),
      groups.map((each) => each.element),
    ];
  }
}

function group(each) {
  const items = each.methods.map((method) => ({
    text: `${method.name} ${method.summary}`.toLowerCase(),
    element: el(
      'li',
      {},
      el('a', { href: `#/call/${encodeURIComponent(method.name)}` }, method.short),
      method.summary && el('span', { class: 'summary' }, method.summary),
    ),
  }));
  const element = el(
    'section',
    {},
    el('h2', {}, each.name),
    el(
      'ul',
      { class: 'methods', role: 'list' },
      items.map((item) => item.element),
    ),
  );
  return {
    element,
    apply(words) {
      let shown = 0;
      for (const item of items) {
        item.element.hidden = !words.every((word) => item.text.includes(word));
        shown += !item.element.hidden;
      }
      element.hidden = shown === 0;
      return shown;
    },
  };
}

function readOnly() {
  return notice(
    '',
    'For reading only',
    el('p', {}, 'This dashboard was started with --read-only: it calls nothing.'),
  );
}
