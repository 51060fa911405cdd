// All services: health, rates, errors and times, each with a small chart.

import { Chart } from './charts.js';
import { el, fill, newId } from './dom.js';
import { Table } from './tables.js';
import { age, bytes, count, number, percent, plural, rate, seconds } from './units.js';
import { command, heading, healthDot, notice } from './words.js';

const HEALTHS = ['good', 'unknown', 'worse', 'bad'];

export class ServicesView {
  constructor(live) {
    this.live = live;
    this.title = 'Services';
    this.tiles = el('dl', { class: 'tiles' });
    this.filter = el('input', {
      type: 'search',
      id: newId('filter'),
      placeholder: 'Filter',
      autocomplete: 'off',
      spellcheck: 'false',
      'aria-keyshortcuts': '/',
      oninput: () => this.show(),
    });
    this.counted = el('p', { class: 'count', role: 'status' });
    this.table = new Table('Services', this.columns(), (item) => item.name);
    this.notices = el('div');
    this.element = el(
      'article',
      {},
      heading('Services'),
      this.tiles,
      this.notices,
      el(
        'div',
        { class: 'controls', role: 'search' },
        el('label', { class: 'hidden', for: this.filter.id }, 'Filter services'),
        this.filter,
        this.counted,
      ),
      el('div', { class: 'wide-table' }, this.table.element),
    );
  }

  columns() {
    return [
      {
        title: 'Service',
        sort: (item) => item.name,
        make(cell) {
          const dot = healthDot();
          const link = el('a', {});
          cell.append(dot.element, ' ', link);
          return { dot, link };
        },
        show(item, { dot, link }) {
          dot.show(item.health);
          if (link.textContent === item.name) return;
          link.textContent = item.name;
          link.href = `#/services/${encodeURIComponent(item.name)}`;
        },
      },
      {
        title: 'Instances',
        kind: 'figure',
        sort: (item) => item.instances,
        show: (item) => (item.up === item.instances ? count(item.up) : `${item.up} of ${item.instances}`),
      },
      this.charted('Rate', 'rate', rate),
      this.charted('Errors', 'errors', rate, 'bad'),
      {
        title: 'p50',
        kind: 'figure',
        sort: (item) => item.p50,
        show: (item) => seconds(item.p50),
      },
      this.charted('p99', 'p99', seconds),
      {
        title: 'In flight',
        kind: 'figure',
        sort: (item) => item.running,
        show: (item) => number(item.running),
      },
      {
        title: 'Memory',
        kind: 'figure',
        sort: (item) => item.memory,
        show: (item) => bytes(item.memory),
      },
    ];
  }

  charted(title, figure, text, kind = 'usual') {
    return {
      title,
      kind: 'figure',
      sort: (item) => item[figure],
      make: (cell) => {
        const { interval } = this.live.hello;
        const chart = new Chart({ label: title, text, interval, kind });
        const value = el('span', { class: 'value' });
        cell.append(el('span', { class: 'charted' }, chart.element, value));
        return { chart, value };
      },
      show: (item, { chart, value }) => {
        const { history } = this.live;
        chart.update(history.times, history.of('services', item.name, figure));
        const shown = text(item[figure]);
        if (value.textContent !== shown) value.textContent = shown;
      },
    };
  }

  update() {
    this.show();
  }

  show() {
    const { snapshot } = this.live;
    if (snapshot === null) {
      fill(this.notices, el('p', { class: 'faint loading', role: 'status' }, 'Asking all instances…'));
      return;
    }
    this.showTiles(snapshot);
    this.showNotices(snapshot);
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = snapshot.services.filter((each) =>
      words.every((word) => each.name.toLowerCase().includes(word)),
    );
    const all = plural(snapshot.services.length, 'service');
    const said = words.length > 0 ? `${shown.length} of ${all}` : all;
    if (this.counted.textContent !== said) this.counted.textContent = said;
    this.table.show(shown);
    this.table.element.hidden = shown.length === 0;
  }

  showTiles(snapshot) {
    const { services, queues } = snapshot;
    const sum = (figure) => {
      const known = services.map((each) => each[figure]).filter((each) => each !== null);
      return known.length === 0 ? null : known.reduce((a, b) => a + b, 0);
    };
    const total = sum('rate');
    const errors = sum('errors');
    const dead = queues.reduce((all, each) => all + (each.dead ?? 0), 0);
    const worst = services.reduce(
      (found, each) => (HEALTHS.indexOf(each.health) > HEALTHS.indexOf(found) ? each.health : found),
      'good',
    );
    const tiles = [
      ['Registry', ...backend(snapshot.registry, snapshot.problems.registry)],
      ['Broker', ...backend(snapshot.broker, snapshot.problems.queues)],
      ['Work', rate(total), ''],
      [
        'Errors',
        total ? `${rate(errors)} (${percent(errors / total)})` : rate(errors),
        errors > 0 ? 'bad' : '',
      ],
      ['Dead letters', count(dead), dead > 0 ? 'worse' : ''],
      ['Instances', `${count(sum('up') ?? 0)} of ${count(sum('instances') ?? 0)} up`, worst],
    ];
    const key = JSON.stringify(tiles);
    if (this.shownTiles === key) return;
    this.shownTiles = key;
    fill(
      this.tiles,
      tiles.map(([name, text, kind, more]) =>
        el('div', { class: `tile ${kind}` }, el('dt', {}, name), el('dd', { title: more || null }, text)),
      ),
    );
  }

  showNotices(snapshot) {
    const found = [];
    const { registry, queues } = snapshot.problems;
    if (registry) found.push(['bad', 'The registry cannot be asked', registry]);
    if (queues) found.push(['bad', 'The event system cannot be asked', queues]);
    if (snapshot.left_out > 0)
      found.push(['', 'Too many instances', `${plural(snapshot.left_out, 'instance')} are not asked.`]);
    if (snapshot.services_left_out > 0)
      found.push([
        '',
        'Too many services',
        `${plural(snapshot.services_left_out, 'service')} are not shown.`,
      ]);
    const empty = snapshot.services.length === 0 && !registry;
    const key = JSON.stringify([found, empty]);
    if (this.shownNotices === key) return;
    this.shownNotices = key;
    fill(
      this.notices,
      found.map(([kind, title, text]) => notice(kind, title, el('p', {}, text))),
      empty && nothing(),
    );
  }
}

/** Return the text of a backend's tile, its kind, and what more is known. */
function backend(state, problem) {
  const since = state.since === null ? '' : ` for ${age(Date.now() / 1000 - state.since)}`;
  const about = [state.description, state.server, state.reason, problem].filter(Boolean).join(', ');
  if (problem) return ['away', 'bad', about];
  if (state.connected === false) return [`away${since}`, 'bad', about];
  const away = state.away > 0 ? `, away for ${plural(state.away, 'instance')}` : '';
  if (state.connected === null) return [`${state.description || 'none'}${away}`, away ? 'worse' : '', about];
  return [`connected${since}${away}`, away ? 'worse' : 'good', about];
}

function nothing() {
  return notice(
    '',
    'No services are running',
    el('p', {}, 'Nothing is registered in the registry of this configuration. To start a service:'),
    command('lymph new hello\ncd hello\nlymph instance -c hello.yml'),
    el('p', {}, 'It appears here within seconds.'),
  );
}
