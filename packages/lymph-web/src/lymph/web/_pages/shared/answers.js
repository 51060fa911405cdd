// The answer to a call, for people: what came back, how long it took, and whether it ran.

import { copyButton, el } from './dom.js';
import { pretty, tokens } from './json.js';
import { headline, ranText, textOf } from './problems.js';

const COLORED = 20000; // parts of a text that get colors; more would be slow
const SHOWN = 200000; // characters that are shown at first

/** Return the outcome of a call as nodes; `traceLink(id)` is where a trace is shown, if anywhere. */
export function answerView(outcome, traceLink = null) {
  if (outcome.failure) return failureView(outcome.failure);
  const good = outcome.status < 400;
  const facts = [
    duration(outcome.seconds),
    size(outcome.size),
    outcome.replayed && 'repeated: the answer of an earlier call with this key',
  ].filter(Boolean);
  return [
    el(
      'p',
      { class: 'outcome' },
      el('span', { class: good ? 'badge good' : 'badge bad' }, `${outcome.status} ${outcome.words}`.trim()),
      ' ',
      facts.join(' · '),
    ),
    outcome.isProblem
      ? [problemView(outcome), el('details', {}, el('summary', {}, 'As it was sent'), body(outcome))]
      : body(outcome),
    outcome.traceId && traceView(outcome.traceId, traceLink),
  ];
}

/** Return one sentence about an outcome, for those who hear the page. */
export function spoken(outcome) {
  if (outcome.failure === 'cancelled') return 'Cancelled';
  if (outcome.failure) return 'No answer';
  const detail = outcome.isProblem ? `. ${headline(outcome.value)} ${ranText(outcome.value) ?? ''}` : '';
  return `Answer: ${outcome.status} ${outcome.words} in ${duration(outcome.seconds)}${detail}`;
}

function failureView(failure) {
  const [title, detail] =
    failure === 'cancelled'
      ? ['Cancelled', 'This page no longer waits. The method may have run, or may still be running.']
      : [
          'No answer',
          'The server did not answer: it may be stopped, or the network is down. If the request arrived, the method may have run.',
        ];
  return el('div', { class: 'problem' }, el('h3', {}, title), el('p', {}, detail));
}

function problemView(outcome) {
  const problem = outcome.value;
  const shown = ['path', 'reason'].filter((key) => textOf(problem, key));
  const ran = ranText(problem);
  return el(
    'div',
    { class: 'problem' },
    el('h3', {}, headline(problem)),
    ran && el('p', { class: 'ran' }, ran, outcome.retryAfter && ` Try again in ${outcome.retryAfter} s.`),
    shown.length > 0 &&
      el(
        'dl',
        { class: 'facts' },
        shown.map((key) => [el('dt', {}, key), el('dd', {}, el('code', {}, problem.get(key)))]),
      ),
  );
}

function body(outcome) {
  if (outcome.text === '') return el('p', { class: 'faint' }, 'The answer has no content.');
  const parsed = outcome.value !== undefined;
  const code = el('pre', {
    class: 'code',
    tabindex: '0',
    'aria-label': 'Content of the answer',
    role: 'region',
  });
  const text = parsed ? pretty(outcome.value) : outcome.text;
  const block = el(
    'div',
    { class: 'block' },
    code,
    el(
      'div',
      { class: 'corner' },
      copyButton(() => text, 'the answer'),
    ),
  );
  if (text.length > SHOWN) {
    code.textContent = text.slice(0, SHOWN);
    const more = el('button', { type: 'button' }, `Show all ${size(outcome.size)}`);
    more.addEventListener('click', () => {
      code.textContent = text;
      more.remove();
      code.focus();
    });
    return [block, more];
  }
  if (parsed) code.append(colored(outcome.value));
  else code.textContent = text;
  return block;
}

/** Return a JSON value as text with colors. */
export function colored(value) {
  const parts = document.createDocumentFragment();
  let count = 0;
  for (const [kind, text] of tokens(value)) {
    count += 1;
    parts.append(kind === 'mark' || count > COLORED ? text : el('span', { class: kind }, text));
  }
  return parts;
}

function traceView(traceId, traceLink) {
  const code = el('code', {}, traceId);
  return el(
    'p',
    { class: 'trace' },
    'Trace ',
    traceLink ? el('a', { href: traceLink(traceId) }, code) : code,
    ' ',
    copyButton(() => traceId, 'the trace id'),
  );
}

function duration(seconds) {
  if (seconds < 0.9995) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
}

function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
