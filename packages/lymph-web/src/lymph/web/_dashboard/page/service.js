// One service: its charts, instances, methods and queues.

import { get, Unanswered, urlOf } from './asking.js';
import { Chart } from './charts.js';
import { el, fill, newId } from './dom.js';
import { Table } from './tables.js';
import { age, bytes, number, percent, plural, rate, seconds } from './units.js';
import { heading, healthDot, notice } from './words.js';

const CHARTS = [
  ['Rate', 'rate', rate, 'usual'],
  ['Errors', 'errors', rate, 'bad'],
  ['p50', 'p50', seconds, 'usual'],
  ['p99', 'p99', seconds, 'usual'],
  ['Memory', 'memory', bytes, 'usual'],
];

export class ServiceView {
  constructor(live, name) {
    this.live = live;
    this.name = name;
    this.title = name;
    this.running = null;
    this.dot = healthDot();
    this.facts = el('p', { class: 'facts' });
    this.notice = el('div');
    this.charts = CHARTS.map(([label, figure, text, kind]) => {
      const { interval, window } = live.hello;
      const chart = new Chart({ label, text, interval, span: window, width: 300, height: 60, kind });
      const value = el('span', { class: 'value' });
      const element = el('figure', {}, el('figcaption', {}, label, ' ', value), chart.element);
      return { figure, text, chart, value, element };
    });
    this.instances = new Table('Instances', instanceColumns(), (item) => item.identity);
    this.methods = new Table('Methods', loadColumns('Method', true), (item) => item.name);
    this.handlers = new Table('Events', loadColumns('Queue', false), (item) => item.name);
    this.parts = [
      section('Instances', this.instances),
      section('Methods', this.methods),
      section('Events', this.handlers),
    ];
    this.element = el(
      'article',
      {},
      el('p', { class: 'above' }, el('a', { href: '#/' }, 'Services')),
      heading(this.dot.element, ' ', name),
      this.facts,
      this.notice,
      el(
        'div',
        { class: 'charts' },
        this.charts.map((each) => each.element),
      ),
      this.parts,
    );
  }

  update() {
    const { history, snapshot } = this.live;
    const known = snapshot?.services.find((each) => each.name === this.name);
    for (const { figure, text, chart, value } of this.charts) {
      chart.update(history.times, history.of('services', this.name, figure));
      value.textContent = text(known?.[figure]);
    }
    if (snapshot !== null) this.ask();
  }

  async ask() {
    if (this.running !== null) return;
    this.running = new AbortController();
    try {
      const path = `services/${encodeURIComponent(this.name)}`;
      this.show(await get(urlOf(path), this.running.signal));
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      if (error.status === 404) this.gone();
    } finally {
      this.running = null;
    }
  }

  close() {
    this.running?.abort();
  }

  gone() {
    this.dot.show('bad');
    const text = 'No instance of it is registered now. What is below is what was known last.';
    fill(this.notice, notice('bad', 'Not there', el('p', {}, text)));
  }

  show(facts) {
    fill(this.notice);
    this.dot.show(facts.health);
    const versions = facts.versions.length > 0 && `version ${facts.versions.join(', ')}`;
    const shown = [
      plural(facts.instances, 'instance'),
      versions,
      facts.namespaces.join(' and ').toUpperCase(),
    ];
    this.facts.textContent = shown.filter(Boolean).join(' · ');
    if (facts.members_left_out > 0) this.facts.textContent += ` · ${facts.members_left_out} are not shown`;
    this.instances.show(facts.members);
    this.methods.show(facts.methods);
    this.handlers.show(facts.handlers);
    [facts.members, facts.methods, facts.handlers].forEach((items, n) => {
      this.parts[n].hidden = items.length === 0;
    });
  }
}

function section(title, table) {
  const id = newId('section');
  return el(
    'section',
    { 'aria-labelledby': id, hidden: true },
    el('h2', { id }, title),
    el('div', { class: 'wide-table' }, table.element),
  );
}

const HEALTHS = { up: 'good', 'not asked': 'unknown', silent: 'bad', foreign: 'bad' };

function instanceColumns() {
  const figure = (title, name, text) => ({
    title,
    kind: 'figure',
    sort: (item) => item[name],
    show: (item) => text(item[name]),
  });
  return [
    {
      title: 'Instance',
      sort: (item) => item.identity,
      make(cell) {
        const dot = healthDot();
        const name = el('code', {});
        const place = el('span', { class: 'faint small-text' });
        cell.append(dot.element, ' ', name, ' ', place);
        return { dot, name, place };
      },
      show(item, { dot, name, place }) {
        dot.show(HEALTHS[item.status] ?? 'worse');
        name.textContent = item.identity.slice(0, 8);
        name.title = item.identity;
        place.textContent = [item.hostname, item.pid && `pid ${item.pid}`].filter(Boolean).join(', ');
        place.title = item.endpoint;
      },
    },
    {
      title: 'State',
      sort: (item) => item.status,
      show: (item) =>
        item.status === 'silent' && item.since
          ? `silent for ${age(Date.now() / 1000 - item.since)}`
          : item.status,
    },
    figure('Up', 'uptime', age),
    figure('Rate', 'rate', rate),
    figure('Errors', 'errors', rate),
    figure('p99', 'p99', seconds),
    figure('In flight', 'running', number),
    figure('Loop delay', 'loop_delay', seconds),
    figure('CPU', 'cpu', percent),
    figure('Memory', 'memory', bytes),
  ];
}

function loadColumns(title, isMethod) {
  const figure = (name, key, text) => ({
    title: name,
    kind: 'figure',
    sort: (item) => item[key],
    show: (item) => text(item[key]),
  });
  return [
    {
      title,
      sort: (item) => item.name,
      make(cell) {
        const name = isMethod ? el('a', {}) : el('span', {});
        cell.append(name);
        return { name };
      },
      show(item, { name }) {
        name.textContent = item.name;
        if (isMethod) name.href = `#/call/${encodeURIComponent(item.name)}`;
      },
    },
    figure('Rate', 'rate', rate),
    figure('Errors', 'errors', rate),
    figure('Mean', 'mean', seconds),
    figure('p50', 'p50', seconds),
    figure('p99', 'p99', seconds),
    figure('In flight', 'running', number),
    figure('Total', 'total', number),
  ];
}
