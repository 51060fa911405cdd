// The list of interfaces and methods, and the filter above it.

import { el, fill } from './dom.js';

export class Listing {
  /** `filter`, `list` and `status` are elements of the page. */
  constructor(filter, list, status) {
    this.filter = filter;
    this.list = list;
    this.status = status;
    this.groups = [];
    filter.addEventListener('input', () => this.apply());
    filter.addEventListener('keydown', (event) => this.onFilterKey(event));
    list.addEventListener('keydown', (event) => this.onListKey(event));
  }

  show(catalogue) {
    this.groups = catalogue.interfaces.map((each) => {
      const links = each.methods.map((method) => methodItem(method));
      const id = `interface-${each.name}`;
      const element = el(
        'section',
        { 'aria-labelledby': id },
        el('h2', { id }, each.name),
        el(
          'ul',
          { role: 'list' },
          links.map((link) => link.element),
        ),
      );
      return { element, links };
    });
    this.counted = el('span', { class: 'counted' });
    const extra =
      catalogue.events &&
      el('p', { class: 'extra' }, el('a', { href: '#events' }, 'Live events ', this.counted));
    fill(
      this.list,
      extra,
      this.groups.map((group) => group.element),
    );
    this.apply();
  }

  clear() {
    this.groups = [];
    fill(this.list);
    this.status.textContent = '';
  }

  /** Show the number of events so far. */
  count(number) {
    this.counted.textContent = number === 0 ? '' : `(${number})`;
  }

  /** Mark the entry of what is shown; an address is that of a link, such as `#echo.upper`. */
  mark(address) {
    for (const link of this.list.querySelectorAll('a')) {
      if (link.getAttribute('href') === address) {
        link.setAttribute('aria-current', 'page');
        link.scrollIntoView({ block: 'nearest' });
      } else {
        link.removeAttribute('aria-current');
      }
    }
  }

  apply() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    let all = 0;
    for (const group of this.groups) {
      let any = false;
      for (const link of group.links) {
        const fits = words.every((word) => link.text.includes(word));
        link.element.hidden = !fits;
        any ||= fits;
        shown += fits;
        all += 1;
      }
      group.element.hidden = !any;
    }
    const counted = `${all} ${all === 1 ? 'method' : 'methods'}`;
    if (all === 0) this.status.textContent = 'No methods';
    else if (words.length === 0) this.status.textContent = counted;
    else this.status.textContent = shown === 0 ? 'No method matches the filter' : `${shown} of ${counted}`;
  }

  links() {
    return [...this.list.querySelectorAll('a')].filter((link) => link.offsetParent !== null);
  }

  onFilterKey(event) {
    if (event.key === 'Escape' && this.filter.value !== '') {
      event.preventDefault();
      this.filter.value = '';
      this.apply();
    } else if (event.key === 'ArrowDown') {
      event.preventDefault();
      this.links()[0]?.focus();
    } else if (event.key === 'Enter') {
      event.preventDefault();
      this.links()
        .find((link) => link.getAttribute('href') !== '#events')
        ?.click();
    }
  }

  onListKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const links = this.links();
    const next = links.indexOf(document.activeElement) + step;
    (next < 0 ? this.filter : links[next])?.focus();
  }
}

function methodItem(method) {
  const link = el(
    'a',
    { href: `#${method.name}`, class: method.deprecated ? 'deprecated' : null },
    el('span', { class: 'name' }, method.short),
    method.summary && el('span', { class: 'summary' }, method.summary),
  );
  return { element: el('li', {}, link), text: `${method.name} ${method.summary}`.toLowerCase() };
}
