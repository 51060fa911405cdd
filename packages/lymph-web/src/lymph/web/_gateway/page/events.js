// Events as they happen. Listening goes on while other methods are looked at.

import { colored } from './answers.js';
import { el, fill, newId } from './dom.js';
import { JsonError, parse } from './json.js';
import { sharedFields } from './options.js';
import { listen } from './streams.js';

const KEPT = 200; // events that are shown; the oldest go first
const BEHIND = 'lymph.behind'; // tells a client that was too slow how many events it has lost

export class EventsView {
  /** `onCount(count)` gets the number of events so far. */
  constructor(events, onCount) {
    this.events = events;
    this.onCount = onCount;
    this.running = null;
    this.count = 0;
    this.build();
  }

  build() {
    const ids = { types: newId('types'), allowed: newId('allowed') };
    const { allowed } = this.events;
    this.types = el('input', {
      id: ids.types,
      type: 'text',
      class: 'mono',
      spellcheck: 'false',
      autocapitalize: 'off',
      autocomplete: 'off',
      'aria-describedby': ids.allowed,
    });
    this.types.value = allowed.join(' ');
    this.button = el('button', { type: 'submit', class: 'primary' }, 'Listen');
    this.state = el('p', { role: 'status' }, 'Not listening.');
    this.list = el('ol', { class: 'events', 'aria-label': 'Events, the newest first' });
    const form = el(
      'form',
      { class: 'listen', novalidate: true },
      el(
        'div',
        { class: 'row' },
        el('label', { for: ids.types }, 'Types'),
        this.types,
        el('p', { class: 'faint', id: ids.allowed }, allowedText(allowed)),
      ),
      el(
        'div',
        { class: 'actions' },
        this.button,
        el('button', { type: 'button', onclick: () => this.clear() }, 'Clear'),
      ),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.running) this.stop();
      else this.start();
    });
    this.element = el(
      'article',
      { class: 'live' },
      el('h1', { tabindex: '-1' }, 'Live events'),
      form,
      this.state,
      this.list,
    );
  }

  start() {
    const types = this.types.value.split(/[\s,]+/).filter(Boolean);
    if (types.length === 0) {
      this.state.textContent = 'Name at least one type of events.';
      this.types.focus();
      return;
    }
    const url = new URL(this.events.url);
    for (const type of types) url.searchParams.append('type', type);
    this.running = new AbortController();
    this.button.textContent = 'Stop';
    this.say('Connecting…');
    listen(url, sharedFields(), this.running.signal, {
      open: () => this.say(`Listening to ${types.join(', ')}.`),
      lost: () => this.say('Connection lost. Reconnecting…'),
      refused: (text) => this.stop(`Refused: ${text}`),
      event: (event) => this.add(event),
    });
  }

  stop(text = 'Not listening.') {
    this.running?.abort();
    this.running = null;
    this.button.textContent = 'Listen';
    this.say(text);
  }

  say(text) {
    this.state.textContent = text;
  }

  clear() {
    this.count = 0;
    this.onCount(0);
    fill(this.list);
  }

  add({ type, data }) {
    if (type === BEHIND) {
      this.say('This page was too slow: some events were lost.');
      return;
    }
    const time = new Date();
    const value = read(data);
    const about =
      value instanceof Map ? ['source', 'trace_id'].filter((key) => typeof value.get(key) === 'string') : [];
    const body = value instanceof Map && value.has('body') ? value.get('body') : value;
    this.list.prepend(
      el(
        'li',
        {},
        el(
          'p',
          {},
          el('b', {}, type),
          ' ',
          el('time', { datetime: time.toISOString() }, time.toLocaleTimeString()),
          about.map((key) => [' ', key === 'source' ? 'from ' : 'trace ', el('code', {}, value.get(key))]),
        ),
        el('pre', { class: 'code' }, body === undefined ? data : colored(body)),
      ),
    );
    while (this.list.children.length > KEPT) this.list.lastElementChild.remove();
    this.count += 1;
    this.onCount(this.count);
  }
}

function allowedText(allowed) {
  if (allowed.length === 0) return 'Separated by spaces.';
  return [
    'Separated by spaces. Allowed: ',
    allowed.map((each, n) => [n > 0 && ', ', el('code', {}, each)]),
    '.',
  ];
}

function read(text) {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}
