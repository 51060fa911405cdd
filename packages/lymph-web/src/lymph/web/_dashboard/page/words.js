// Words and signs for states, so that no state is told by a color alone.

import { el } from './dom.js';

const HEALTH = {
  good: ['●', 'all instances are up'],
  worse: ['◐', 'not all instances are up'],
  bad: ['○', 'no instance is up'],
  unknown: ['·', 'not asked'],
};

/** Return a dot for the health of a service; `show(health)` changes it. */
export function healthDot() {
  const sign = el('span', { 'aria-hidden': 'true' });
  const words = el('span', { class: 'hidden' });
  const element = el('span', { class: 'dot' }, sign, words);
  const show = (health) => {
    const [dot, text] = HEALTH[health] ?? HEALTH.unknown;
    element.className = `dot ${health}`;
    if (sign.textContent !== dot) sign.textContent = dot;
    if (words.textContent !== `${text}, `) words.textContent = `${text}, `;
    element.title = text;
  };
  return { element, show };
}

/** Return a notice with a title, paragraphs, and what else is given. */
export function notice(kind, title, ...parts) {
  return el('div', { class: `notice ${kind}` }, el('h2', {}, title), parts);
}

/** Return the heading of a view, which gets the focus when somebody goes there. */
export function heading(...parts) {
  return el('h1', { tabindex: '-1' }, parts);
}

export function command(text) {
  return el('pre', { class: 'command' }, el('code', {}, text));
}
