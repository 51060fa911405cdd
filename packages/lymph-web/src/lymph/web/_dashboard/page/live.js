// What the services do, as it happens: the stream of the dashboard, as long as somebody looks.
//
//   state        meaning
//   connecting   no answer yet
//   live         snapshots arrive
//   lost         the connection broke, or nothing has come for a while; it connects again
//   refused      the dashboard wants the token
//   full         the dashboard cannot serve this page now; it asks again

import { urlOf } from './asking.js';
import { History } from './history.js';
import { listen } from './streams.js';

const SILENCE = 12000; // milliseconds without a snapshot after which a connection counts as lost
const HIDDEN = 20000; // milliseconds for which a page goes on that nobody sees
const AGAIN = 4000; // milliseconds until it asks again

export class Live {
  /** `changed(what)` is called with `state` or `snapshot`; `ready` is a promise of `hello`. */
  constructor(changed) {
    this.changed = changed;
    this.state = 'connecting';
    this.why = '';
    this.ready = new Promise((resolve) => (this.greeted = resolve));
    this.hello = { read_only: false, interval: 2, window: 900, version: '' };
    this.history = new History(this.hello.window);
    this.snapshot = null;
    this.running = null;
    this.heard = 0;
    setInterval(() => this.watch(), 1000);
    document.addEventListener('visibilitychange', () => this.look());
  }

  start() {
    this.stop();
    if (this.state === 'refused') this.become('connecting');
    const running = new AbortController();
    this.running = running;
    this.heard = performance.now();
    const own =
      (act) =>
      (...given) =>
        this.running === running && act(...given);
    listen(urlOf('live'), {}, running.signal, {
      open: own(() => this.listen()),
      event: own((event) => this.take(event)),
      lost: own(() => this.become('lost')),
      refused: own((text, status) => this.refuse(text, status)),
    });
  }

  stop() {
    this.running?.abort();
    this.running = null;
  }

  listen() {
    this.heard = performance.now();
  }

  take({ type, data }) {
    this.heard = performance.now();
    const value = JSON.parse(data);
    if (type === 'hello') {
      this.hello = value;
      this.greeted();
    }
    if (type === 'history') this.history.start(value);
    if (type !== 'snapshot') return;
    this.snapshot = value;
    this.history.add(value);
    this.become('live');
    this.tell('snapshot');
  }

  refuse(text, status) {
    this.running = null;
    this.become(status === 401 ? 'refused' : 'full', text);
    if (status !== 401) setTimeout(() => this.running ?? this.start(), AGAIN);
  }

  become(state, why = '') {
    if (this.state === state && this.why === why) return;
    this.state = state;
    this.why = why;
    this.tell('state');
  }

  /** Say what has changed, later: an error of a view is none of the connection. */
  tell(what) {
    queueMicrotask(() => this.changed(what));
  }

  watch() {
    if (this.running === null || performance.now() - this.heard < SILENCE) return;
    this.become('lost');
    this.start();
  }

  /** Listen while the page can be seen. */
  look() {
    clearTimeout(this.leaving);
    if (document.hidden) this.leaving = setTimeout(() => this.stop(), HIDDEN);
    else if (this.running === null && this.state !== 'refused') this.start();
  }
}
