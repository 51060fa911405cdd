// The queues of the event system: what waits, how long it has, and who takes it.

import { Chart } from './charts.js';
import { el, fill, newId } from './dom.js';
import { Table } from './tables.js';
import { age, bytes, count, plural } from './units.js';
import { heading, notice } from './words.js';

export class QueuesView {
  constructor(live) {
    this.live = live;
    this.title = 'Queues';
    this.filter = el('input', {
      type: 'search',
      id: newId('filter'),
      placeholder: 'Filter',
      autocomplete: 'off',
      spellcheck: 'false',
      'aria-keyshortcuts': '/',
      oninput: () => this.update(),
    });
    this.counted = el('p', { class: 'count', role: 'status' });
    this.notices = el('div');
    this.table = new Table('Queues', this.columns(), (item) => item.queue);
    this.element = el(
      'article',
      {},
      heading('Queues'),
      this.notices,
      el(
        'div',
        { class: 'controls', role: 'search' },
        el('label', { class: 'hidden', for: this.filter.id }, 'Filter queues'),
        this.filter,
        this.counted,
      ),
      el('div', { class: 'wide-table' }, this.table.element),
    );
  }

  columns() {
    const figure = (title, name, text) => ({
      title,
      kind: 'figure',
      sort: (item) => item[name],
      show: (item) => text(item[name]),
    });
    return [
      { title: 'Queue', sort: (item) => item.queue, show: (item) => item.queue },
      {
        title: 'Waiting',
        kind: 'figure',
        sort: (item) => item.waiting,
        make: (cell) => {
          const chart = new Chart({ label: 'Waiting', text: count, interval: this.live.hello.interval });
          const value = el('span', { class: 'value' });
          cell.append(el('span', { class: 'charted' }, chart.element, value));
          return { chart, value };
        },
        show: (item, { chart, value }) => {
          const { history } = this.live;
          chart.update(history.times, history.of('queues', item.queue, 'waiting'));
          value.textContent = count(item.waiting);
        },
      },
      figure('Delayed', 'delayed', count),
      figure('Oldest', 'oldest', age),
      figure('Running', 'running', count),
      figure('Consumers', 'consumers', count),
      figure('Size', 'bytes', bytes),
      {
        title: 'Dead letters',
        kind: 'figure',
        sort: (item) => item.dead,
        make(cell) {
          const link = el('a', {});
          const text = el('span', {});
          cell.append(link, text);
          return { link, text };
        },
        show(item, { link, text }) {
          link.hidden = !item.dead;
          link.textContent = count(item.dead);
          link.href = `#/dead-letters/${encodeURIComponent(item.queue)}`;
          text.textContent = item.dead ? '' : count(item.dead);
        },
      },
    ];
  }

  update() {
    const { snapshot } = this.live;
    if (snapshot === null) return;
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = snapshot.queues.filter((each) =>
      words.every((word) => each.queue.toLowerCase().includes(word)),
    );
    const all = plural(snapshot.queues.length, 'queue');
    const said = words.length > 0 ? `${shown.length} of ${all}` : all;
    if (this.counted.textContent !== said) this.counted.textContent = said;
    this.table.show(shown);
    this.table.element.hidden = shown.length === 0;
    this.showNotices(snapshot);
  }

  showNotices(snapshot) {
    const problem = snapshot.problems.queues ?? '';
    const key = `${problem} ${snapshot.queues.length} ${snapshot.queues_left_out}`;
    if (this.shown === key) return;
    this.shown = key;
    const none = 'There are none now. A queue appears when a service that handles events is started.';
    const left = plural(snapshot.queues_left_out, 'queue');
    fill(
      this.notices,
      problem && notice('bad', 'The event system cannot be asked', el('p', {}, problem)),
      !problem && snapshot.queues.length === 0 && notice('', 'No queues', el('p', {}, none)),
      snapshot.queues_left_out > 0 && notice('', 'Too many queues', el('p', {}, `${left} are not shown.`)),
    );
  }
}
