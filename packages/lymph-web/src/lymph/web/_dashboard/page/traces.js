// The latest traces, and one of them as it went through the services.

import { get, Unanswered, urlOf } from './asking.js';
import { copyButton, el, fill, newId } from './dom.js';
import { Table } from './tables.js';
import { count, moment, plural, seconds, UNKNOWN } from './units.js';
import { heading, notice } from './words.js';

/** What was chosen stays while others are looked at. */
const chosen = { failed: false, slow: '' };

export class TracesView {
  constructor() {
    this.title = 'Traces';
    this.failed = el('input', { type: 'checkbox' });
    this.failed.checked = chosen.failed;
    this.slow = el('input', { type: 'text', inputmode: 'decimal', size: '6', placeholder: 'seconds' });
    this.slow.value = chosen.slow;
    this.id = el('input', {
      type: 'search',
      placeholder: 'Trace id',
      autocomplete: 'off',
      spellcheck: 'false',
      'aria-label': 'Open a trace by its id',
    });
    this.status = el('p', { class: 'count', role: 'status' });
    this.notices = el('div');
    this.table = new Table('Traces', columns(), (item) => item.trace_id);
    const choose = el(
      'form',
      { class: 'controls', novalidate: true },
      el('label', {}, this.failed, 'only failed'),
      el('label', {}, 'at least ', this.slow, ' s'),
      el('button', { type: 'submit', class: 'primary' }, 'Show'),
      this.status,
    );
    choose.addEventListener('submit', (event) => {
      event.preventDefault();
      chosen.failed = this.failed.checked;
      chosen.slow = this.slow.value.trim();
      this.ask();
    });
    this.failed.addEventListener('change', () => choose.requestSubmit());
    const open = el(
      'form',
      { class: 'controls', novalidate: true, role: 'search' },
      this.id,
      el('button', { type: 'submit' }, 'Open'),
    );
    open.addEventListener('submit', (event) => {
      event.preventDefault();
      const id = this.id.value.trim();
      if (id !== '') location.hash = `#/traces/${encodeURIComponent(id)}`;
    });
    this.element = el(
      'article',
      {},
      heading('Traces'),
      choose,
      open,
      this.notices,
      el('div', { class: 'wide-table' }, this.table.element),
    );
    this.table.element.hidden = true;
    this.ask();
  }

  async ask() {
    this.status.textContent = 'Asking…';
    let found;
    try {
      found = await get(
        urlOf('traces', { failed: chosen.failed ? '1' : '', slow: chosen.slow, limit: '100' }),
      );
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      this.status.textContent = '';
      fill(this.notices, notice('bad', 'The traces cannot be shown', el('p', {}, error.message)));
      return;
    }
    const { traces, asked, silent } = found;
    const without = silent > 0 ? `; ${silent} did not answer` : '';
    this.status.textContent = `${plural(traces.length, 'trace')} of ${plural(asked, 'instance')}${without}`;
    const none = 'Every instance keeps its last units of work. Call a method, and its trace appears here.';
    fill(this.notices, traces.length === 0 && notice('', 'None', el('p', {}, none)));
    this.table.show(traces);
    this.table.element.hidden = traces.length === 0;
  }
}

function columns() {
  return [
    {
      title: 'Trace',
      make(cell) {
        const link = el('a', {});
        cell.append(link);
        return { link };
      },
      show(item, { link }) {
        link.textContent = `${item.kind} ${item.name}`;
        link.href = `#/traces/${encodeURIComponent(item.trace_id)}`;
        link.title = item.trace_id;
      },
    },
    { title: 'Service', show: (item) => item.service },
    { title: 'Started', sort: (item) => item.started, show: (item) => moment(item.started) },
    {
      title: 'Outcome',
      show(item, _parts, cell) {
        cell.className = item.failures > 0 ? 'bad-text' : '';
        const failures = item.failures > 0 && item.ok ? `, ${item.failures} failed within` : '';
        return `${item.outcome}${failures}`;
      },
    },
    { title: 'Duration', kind: 'figure', sort: (item) => item.total, show: (item) => seconds(item.total) },
    { title: 'Units', kind: 'figure', sort: (item) => item.units, show: (item) => count(item.units) },
  ];
}

export class TraceView {
  constructor(_live, id) {
    this.id = id;
    this.title = `Trace ${id.slice(0, 8)}`;
    this.content = el('div', {});
    this.element = el(
      'article',
      {},
      el('p', { class: 'above' }, el('a', { href: '#/traces' }, 'Traces')),
      heading('Trace ', el('code', { class: 'id' }, id.slice(0, 200))),
      el(
        'p',
        { class: 'controls' },
        el('button', { type: 'button', class: 'small', onclick: () => this.ask() }, 'Ask again'),
        copyButton(() => id, 'the trace id'),
      ),
      this.content,
    );
    this.ask();
  }

  async ask() {
    fill(this.content, el('p', { class: 'faint', role: 'status' }, 'Asking all instances…'));
    try {
      this.show(await get(urlOf(`traces/${encodeURIComponent(this.id)}`)));
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      fill(this.content, notice('bad', 'It cannot be shown', el('p', {}, error.message)));
    }
  }

  show(trace) {
    const silent = trace.sources.filter((each) => each.problem);
    fill(
      this.content,
      trace.units.length === 0 ? unknown() : [summary(trace), waterfall(trace)],
      trace.left_out > 0 && el('p', {}, `${plural(trace.left_out, 'unit')} of work left out.`),
      silent.length > 0 &&
        notice(
          '',
          `${plural(silent.length, 'instance')} told nothing`,
          el(
            'ul',
            {},
            silent
              .slice(0, 20)
              .map((each) => el('li', {}, `${each.service} at ${each.endpoint}: ${each.problem}`)),
          ),
        ),
    );
  }
}

function unknown() {
  const text =
    'No instance knows it. Each keeps only its last units of work, so it may have been a while ago.';
  return notice('', 'Not known', el('p', {}, text));
}

function summary(trace) {
  const facts = [
    plural(trace.units.length, 'unit of work', 'units of work'),
    `${seconds(trace.duration)} in all`,
    trace.started !== null && `started ${moment(trace.started)}`,
    trace.failures > 0 && `${trace.failures} failed`,
    trace.running > 0 && `${trace.running} running`,
  ];
  const kind = trace.outcome === 'ok' ? 'good' : trace.outcome === 'failed' ? 'bad' : '';
  return el(
    'p',
    { class: 'outcome' },
    el('span', { class: `badge ${kind}` }, trace.outcome),
    ' ',
    facts.filter(Boolean).join(' · '),
  );
}

/** Return a table in which each unit of work has a bar for when it ran. */
function waterfall(trace) {
  const whole = Math.max(trace.duration, 1e-6);
  const title = newId('waterfall');
  return el(
    'table',
    { role: 'table', class: 'waterfall', 'aria-labelledby': title },
    el('caption', { class: 'hidden', id: title }, 'Units of work, each below the one that caused it'),
    el(
      'thead',
      { role: 'rowgroup' },
      el(
        'tr',
        { role: 'row' },
        ['Unit', 'Service', 'Outcome', 'Duration', 'When'].map((each) =>
          el('th', { role: 'columnheader', scope: 'col' }, each),
        ),
      ),
    ),
    el(
      'tbody',
      { role: 'rowgroup' },
      trace.units.map((unit) => unitRow(unit, whole)),
    ),
  );
}

function unitRow(unit, whole) {
  const name = el(
    'th',
    { role: 'rowheader', scope: 'row' },
    el('span', { class: 'hidden' }, `level ${unit.depth + 1}: `),
    el('span', { class: 'badge' }, unit.kind),
    ' ',
    unit.name,
    unit.attempt > 1 && el('span', { class: 'faint' }, ` attempt ${unit.attempt}`),
    unit.note && el('span', { class: 'faint small-text' }, ` ${unit.note}`),
  );
  name.style.paddingLeft = `${Math.min(unit.depth, 12) * 14}px`;
  const bar = el('span', { class: unit.ok === false ? 'span bad' : 'span' });
  bar.style.left = `${Math.min(100, Math.max(0, (unit.offset / whole) * 100))}%`;
  bar.style.width = `${Math.min(100, ((unit.duration ?? whole - unit.offset) / whole) * 100)}%`;
  const outcome = unit.ok === null ? 'running' : unit.outcome;
  return el(
    'tr',
    { role: 'row' },
    name,
    el('td', { role: 'cell', 'data-title': 'Service', title: unit.instance }, unit.service),
    el(
      'td',
      { role: 'cell', 'data-title': 'Outcome', class: unit.ok === false ? 'bad-text' : null },
      outcome,
    ),
    el(
      'td',
      { role: 'cell', 'data-title': 'Duration', class: 'figure' },
      unit.duration === null ? UNKNOWN : seconds(unit.duration),
    ),
    el(
      'td',
      { role: 'cell', 'data-title': 'When', class: 'track' },
      el('span', { class: 'hidden' }, `after ${seconds(unit.offset)}`),
      bar,
    ),
  );
}
