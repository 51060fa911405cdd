// The logs of all instances, as they are written.

import { urlOf } from './asking.js';
import { el, fill, newId } from './dom.js';
import { listen } from './streams.js';
import { moment, plural } from './units.js';
import { heading } from './words.js';

const KEPT = 1000; // lines
const BEHIND = 'lymph.behind'; // tells a page that was too slow how many lines it has lost
const LEVELS = ['debug', 'info', 'warning', 'error', 'critical'];
const NEAR = 40; // pixels from the end at which the list follows what comes

/** What was chosen stays while others are looked at. */
const chosen = { level: 'info', service: '', words: '' };

export class LogsView {
  constructor(live) {
    this.live = live;
    this.title = 'Logs';
    this.running = null;
    this.paused = false;
    this.waiting = []; // records that came in a pause
    this.last = new Map(); // identity -> number of its last record
    this.lost = 0;
    this.level = this.choice(LEVELS, chosen.level, (value) => (chosen.level = value));
    this.service = this.choice([''], '', (value) => (chosen.service = value));
    this.filter = el('input', {
      type: 'search',
      id: newId('filter'),
      placeholder: 'Filter',
      autocomplete: 'off',
      spellcheck: 'false',
      'aria-keyshortcuts': '/',
      oninput: () => this.apply(),
    });
    this.filter.value = chosen.words;
    this.pausing = el(
      'button',
      { type: 'button', 'aria-pressed': 'false', 'aria-keyshortcuts': 'p', onclick: () => this.pause() },
      'Pause',
    );
    this.state = el('p', { class: 'count', role: 'status' });
    this.list = el('ol', {
      class: 'log',
      tabindex: '0',
      'aria-label': 'Log, the newest last',
    });
    this.element = el(
      'article',
      { class: 'logs' },
      heading('Logs'),
      el(
        'div',
        { class: 'controls', role: 'search' },
        el('label', {}, 'Level ', this.level),
        el('label', {}, 'Service ', this.service),
        el('label', { class: 'hidden', for: this.filter.id }, 'Filter lines'),
        this.filter,
        this.pausing,
        el('button', { type: 'button', onclick: () => this.clear() }, 'Clear'),
      ),
      this.state,
      this.list,
    );
    this.update();
    this.start();
  }

  choice(values, value, choose) {
    const select = el('select', {
      onchange: () => {
        choose(select.value);
        this.clear();
        this.start();
      },
    });
    fill(
      select,
      values.map((each) => el('option', { value: each }, each || 'all')),
    );
    select.value = value;
    return select;
  }

  /** Offer the services that there are. */
  update() {
    const known = (this.live.snapshot?.services ?? []).map((each) => each.name);
    const names = ['', ...new Set([...known, chosen.service])].filter((each, n) => n === 0 || each !== '');
    const key = names.join('\n');
    if (this.services === key) return;
    this.services = key;
    fill(
      this.service,
      names.map((each) => el('option', { value: each }, each || 'all')),
    );
    this.service.value = chosen.service;
  }

  start() {
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    this.say('Connecting…');
    const query = { level: chosen.level, service: chosen.service };
    listen(urlOf('logs', query), {}, running.signal, {
      open: () => this.say('Following…'),
      lost: () => running.signal.aborted || this.say('Connection lost. It connects again by itself.'),
      refused: (text) => this.say(`The logs cannot be followed: ${text}`),
      event: (event) => running.signal.aborted || this.take(event),
    });
  }

  close() {
    this.running?.abort();
  }

  say(text) {
    this.said = text;
    const lost = this.lost > 0 && `${plural(this.lost, 'line')} lost`;
    const paused = this.paused && `paused, ${plural(this.waiting.length, 'line')} waiting`;
    const all = [text, lost, paused].filter(Boolean).join(' · ');
    if (this.state.textContent !== all) this.state.textContent = all;
  }

  take({ type, data }) {
    const value = JSON.parse(data);
    if (type === 'state') this.say(stateText(value));
    if (type === BEHIND) {
      this.lost += value.lost;
      this.say(this.said);
    }
    if (type !== 'record') return;
    if (value.number <= (this.last.get(value.identity) ?? -1)) return; // it was there before a reconnect
    this.last.set(value.identity, value.number);
    if (!this.paused) this.add([value]);
    else {
      this.waiting.push(value);
      if (this.waiting.length > KEPT) this.waiting.shift();
      this.say(this.said);
    }
  }

  add(records) {
    const { list } = this;
    const follows = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
    list.append(...records.map((each) => this.line(each)));
    while (list.children.length > KEPT) list.firstElementChild.remove();
    if (follows) list.scrollTop = list.scrollHeight;
  }

  line(record) {
    const level = record.level.toLowerCase();
    const who = `${record.services.join(', ') || '?'} ${record.identity.slice(0, 8)}`;
    const element = el(
      'li',
      { class: `line ${level}` },
      el('time', { datetime: new Date(record.time * 1000).toISOString() }, moment(record.time)),
      ' ',
      el('b', { class: 'level' }, record.level),
      ' ',
      el('span', { class: 'who' }, who),
      ' ',
      el('span', { class: 'faint' }, record.logger),
      ' ',
      el('span', { class: 'message' }, record.message),
      record.trace_id && [
        ' ',
        el('a', { class: 'trace-link', href: `#/traces/${encodeURIComponent(record.trace_id)}` }, 'trace'),
      ],
      record.exception && el('pre', {}, record.exception),
    );
    element.hidden = !fits(element);
    return element;
  }

  apply() {
    chosen.words = this.filter.value;
    for (const line of this.list.children) line.hidden = !fits(line);
    this.list.scrollTop = this.list.scrollHeight;
  }

  pause() {
    this.paused = !this.paused;
    this.pausing.setAttribute('aria-pressed', String(this.paused));
    this.pausing.textContent = this.paused ? 'Go on' : 'Pause';
    if (!this.paused) {
      this.add(this.waiting);
      this.waiting = [];
    }
    this.say(this.said);
  }

  clear() {
    fill(this.list);
    this.waiting = [];
    this.lost = 0;
    this.say(this.said ?? '');
  }

  /** Handle a key; return whether it means something. */
  onKey(key) {
    if (key !== 'p') return false;
    this.pause();
    return true;
  }
}

function fits(line) {
  const words = chosen.words.toLowerCase().split(/\s+/).filter(Boolean);
  const text = words.length === 0 ? '' : line.textContent.toLowerCase();
  return words.every((word) => text.includes(word));
}

function stateText({ followed, silent, problem }) {
  if (problem) return `The registry cannot be asked: ${problem}`;
  const others = silent > 0 ? `; ${silent} publish no log: set container.log_endpoint there` : '';
  return `Following ${plural(followed, 'instance')}${others}`;
}
