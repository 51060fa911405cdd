// The dashboard: shows the view that the address names, keeps it up to date, and handles keys.

import { CallView, Methods } from './calls.js';
import { el, fill } from './dom.js';
import { keysAreOn, showHelp } from './help.js';
import { LettersView } from './letters.js';
import { Live } from './live.js';
import { LogsView } from './logs.js';
import { QueuesView } from './queues.js';
import { ServiceView } from './service.js';
import { ServicesView } from './services.js';
import { SignInView } from './signing_in.js';
import { TracesView, TraceView } from './traces.js';
import { heading, notice } from './words.js';

const main = document.getElementById('main');
const banner = document.getElementById('banner');
const state = document.getElementById('state');
const colors = document.getElementById('colors');
const methods = new Methods();
const live = new Live((what) => (what === 'snapshot' ? view?.update?.() : showState()));

// address -> how its view is made; more parts of the address are given to it
const VIEWS = [
  { path: '', title: 'Services', make: () => new ServicesView(live) },
  { path: 'call', title: 'Call', make: (name) => new CallView(live, methods, name) },
  { path: 'queues', title: 'Queues', make: () => new QueuesView(live) },
  { path: 'dead-letters', title: 'Dead letters', make: (queue) => new LettersView(live, queue) },
  { path: 'logs', title: 'Logs', make: () => new LogsView(live) },
  { path: 'traces', title: 'Traces', make: (id) => (id === '' ? new TracesView() : new TraceView(live, id)) },
];
const OTHERS = [{ path: 'services', make: (name) => new ServiceView(live, name) }];

let view = null;

const STATES = {
  connecting: 'Connecting…',
  live: 'Live',
  lost: 'Connection lost',
  refused: 'Not allowed',
  full: 'Waiting',
};

function showState() {
  state.textContent = STATES[live.state];
  state.className = `state ${live.state}`;
  if (live.state === 'refused') {
    fill(banner);
    showView(new SignInView(enter), true);
    return;
  }
  if (live.state === 'lost')
    fill(
      banner,
      el(
        'p',
        {},
        'The connection to the dashboard is lost. What is shown is old; it connects again by itself.',
      ),
    );
  else if (live.state === 'full')
    fill(banner, el('p', {}, `The dashboard does not answer: ${live.why}. It asks again by itself.`));
  else fill(banner);
}

function enter() {
  live.start();
  route(true);
}

/** Show what the address names. `moved` is whether somebody went there, rather than opened the page. */
function route(moved) {
  const [path, name] = addressed();
  const known = [...VIEWS, ...OTHERS].find((each) => each.path === path);
  markView(path);
  showView(known ? known.make(name) : unknown(), moved);
}

function addressed() {
  const parts = location.hash.replace(/^#\/?/, '').split('/');
  const [path, ...others] = parts.map(decoded);
  return [path, others.join('/')];
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function showView(next, moved) {
  view?.close?.();
  view = next;
  view.update?.();
  fill(main, view.element);
  document.title = `${view.title} · lymph`;
  if (!moved) return;
  window.scrollTo(0, 0);
  main.querySelector('h1')?.focus({ preventScroll: true });
}

function unknown() {
  const text = 'There is nothing at this address. It may be that of another version of the dashboard.';
  return {
    title: 'Not found',
    element: el('article', {}, heading('Not found'), notice('', 'Nothing here', el('p', {}, text))),
  };
}

function markView(path) {
  const shown = path === 'services' ? '' : path;
  for (const link of document.querySelectorAll('#views a'))
    if (link.getAttribute('href') === `#/${shown}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
}

function isTyping(element) {
  return (
    element instanceof HTMLElement &&
    element.matches('input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]')
  );
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (!keysAreOn() || document.querySelector('dialog[open]') || live.state === 'refused') return;
  const numbered = VIEWS[Number(event.key) - 1];
  if (event.key === '?') showHelp(VIEWS.map((each, n) => ({ key: String(n + 1), title: each.title })));
  else if (event.key === '/' && main.querySelector('input[type=search]')) {
    main.querySelector('input[type=search]').focus();
    main.querySelector('input[type=search]').select();
  } else if (numbered) location.hash = `#/${numbered.path}`;
  else if (!view?.onKey?.(event.key)) return;
  event.preventDefault();
}

fill(
  document.getElementById('views'),
  VIEWS.map((each, n) => el('a', { href: `#/${each.path}`, 'aria-keyshortcuts': String(n + 1) }, each.title)),
);
colors.value = lymphColors.chosen();
colors.addEventListener('change', () => lymphColors.choose(colors.value));
document.getElementById('help').addEventListener('click', () => {
  showHelp(VIEWS.map((each, n) => ({ key: String(n + 1), title: each.title })));
});
document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault(); // the address is that of a view
  main.querySelector('h1')?.focus();
});
live.ready.then(() => (document.querySelector('.title').title = `lymph-web ${live.hello.version}`));
document.addEventListener('keydown', onKey);
window.addEventListener('hashchange', () => live.state !== 'refused' && route(true));
showState();
live.start();
route(false);
