// Dead letters: the events that were given up, to be looked at, replayed or dropped.

import { colored } from './answers.js';
import { get, post, Unanswered, urlOf } from './asking.js';
import { confirmed } from './dialogs.js';
import { el, fill, newId } from './dom.js';
import { fromPlain } from './json.js';
import { moment, plural } from './units.js';
import { heading, notice } from './words.js';

const SHOWN = 100; // dead letters of a list

export class LettersView {
  constructor(live, queue) {
    this.live = live;
    this.queue = queue;
    this.title = queue === '' ? 'Dead letters' : `Dead letters of ${queue}`;
    this.choice = el('select', {
      id: newId('queue'),
      onchange: () => (location.hash = `#/dead-letters/${encodeURIComponent(this.choice.value)}`),
    });
    this.status = el('p', { class: 'count', role: 'status' });
    this.all = el('span', { class: 'actions' });
    this.notices = el('div');
    this.list = el('ol', { class: 'letters', 'aria-label': 'Dead letters, the oldest first' });
    this.element = el(
      'article',
      {},
      heading('Dead letters'),
      el(
        'div',
        { class: 'controls' },
        el('label', {}, 'Queue ', this.choice),
        el('button', { type: 'button', class: 'small', onclick: () => this.ask() }, 'Ask again'),
        this.status,
        this.all,
      ),
      this.notices,
      this.list,
    );
    this.showChoice();
    this.ask();
  }

  update() {
    this.showChoice();
  }

  /** Offer the queues that have dead letters, and the one that is shown. */
  showChoice() {
    const dead = (this.live.snapshot?.queues ?? []).filter((each) => each.dead > 0).map((each) => each.queue);
    const names = [...new Set([...dead, this.queue])].filter((each) => each !== '').sort();
    const key = names.join('\n');
    if (this.choices === key) return;
    this.choices = key;
    fill(
      this.choice,
      el('option', { value: '' }, 'all queues'),
      names.map((name) => el('option', { value: name }, name)),
    );
    this.choice.value = this.queue;
  }

  async ask(said = '') {
    let found;
    await this.live.ready; // it says whether there are buttons
    try {
      found = await get(urlOf('dead-letters', { queue: this.queue, limit: String(SHOWN) }));
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      fill(this.notices, notice('bad', 'The dead letters cannot be shown', el('p', {}, error.message)));
      return;
    }
    const { letters } = found;
    const more = found.count > letters.length ? `${letters.length} of ` : '';
    this.status.textContent = [said, `${more}${plural(found.count, 'dead letter')}`]
      .filter(Boolean)
      .join(' ');
    const none = 'Events come here when their handler has failed as often as it may.';
    fill(this.notices, letters.length === 0 && notice('', 'None', el('p', {}, none)));
    fill(
      this.list,
      letters.map((each) => this.item(each)),
    );
    this.showActions(found.count);
  }

  showActions(all) {
    const { read_only } = this.live.hello;
    const offered = this.queue !== '' && all > 0 && !read_only;
    fill(
      this.all,
      offered && [
        this.button(`Replay all of ${this.queue}`, 'small', () => this.settleAll('replay', all)),
        this.button(`Drop all of ${this.queue}`, 'small danger', () => this.settleAll('drop', all)),
      ],
    );
  }

  button(text, kind, act) {
    return el('button', { type: 'button', class: kind, onclick: act }, text);
  }

  item(letter) {
    const { read_only } = this.live.hello;
    const details = el('details', {}, el('summary', {}, 'Payload'));
    details.addEventListener('toggle', () => this.open(details, letter.id), { once: true });
    const name = `${letter.type ?? 'event'} of ${letter.queue}`;
    return el(
      'li',
      {},
      el(
        'p',
        { class: 'letter-head' },
        el('b', {}, letter.type ?? 'not an event'),
        ' in ',
        el('code', {}, letter.queue),
        ', died ',
        el('time', { datetime: new Date(letter.died * 1000).toISOString() }, moment(letter.died)),
        ` after ${plural(letter.attempts, 'attempt')}`,
        letter.trace_id && [
          ', trace ',
          el(
            'a',
            { href: `#/traces/${encodeURIComponent(letter.trace_id)}` },
            el('code', {}, letter.trace_id.slice(0, 8)),
          ),
        ],
      ),
      el('p', { class: 'letter-error' }, letter.error),
      details,
      !read_only &&
        el(
          'p',
          { class: 'actions' },
          el(
            'button',
            {
              type: 'button',
              class: 'small',
              'aria-label': `Replay ${name}`,
              onclick: () => this.settle('replay', letter),
            },
            'Replay',
          ),
          el(
            'button',
            {
              type: 'button',
              class: 'small danger',
              'aria-label': `Drop ${name}`,
              onclick: () => this.settle('drop', letter),
            },
            'Drop',
          ),
        ),
    );
  }

  async open(details, id) {
    let shown;
    try {
      const letter = await get(urlOf('dead-letters/one', { id }));
      shown = letter.event ?? { problem: letter.problem, data: letter.data };
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      details.append(el('p', { class: 'error' }, error.message));
      return;
    }
    const code = el('pre', { class: 'code', tabindex: '0', role: 'region', 'aria-label': 'Payload' });
    code.append(colored(fromPlain(shown)));
    details.append(code);
  }

  async settle(action, letter) {
    const type = letter.type ?? 'this event';
    if (action === 'drop' && !(await confirmed(`Drop ${type} of ${letter.queue} for good?`, 'Drop'))) return;
    await this.send(action, { ids: [letter.id] });
  }

  async settleAll(action, all) {
    const what = `${plural(all, 'dead letter')} of ${this.queue}`;
    const question =
      action === 'drop' ? `Drop ${what} for good?` : `Replay ${what}? Their handlers get them again.`;
    if (!(await confirmed(question, action === 'drop' ? 'Drop all' : 'Replay all'))) return;
    await this.send(action, { queue: this.queue });
  }

  async send(action, what) {
    this.status.textContent = 'Working…';
    const past = action === 'drop' ? 'dropped' : 'replayed';
    let said;
    try {
      const { found, done } = await post(urlOf(`dead-letters/${action}`), what);
      const left =
        done < found ? ` of ${found}; the others were settled by somebody else, or their queue is gone` : '';
      said = `${done}${left} ${past}.`;
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      said = `Nothing is known to be ${past}: ${error.message}.`;
    }
    await this.ask(said);
  }
}
