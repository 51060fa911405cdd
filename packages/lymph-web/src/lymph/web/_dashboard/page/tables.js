// Tables that are updated in place, so that what has the focus keeps it. On small screens each row is a
// card; the roles say all the same that it is a table.

import { el, fill } from './dom.js';

/**
 * Show `items` as children of `parent`, in this order.
 *
 * `rows` is a Map that keeps what `make(item)` returns for each `key(item)`: an object with `element`, and
 * `update(item)`.
 */
export function sync(parent, rows, items, key, make) {
  const active = document.activeElement;
  const keys = new Set(items.map(key));
  for (const [known, row] of rows)
    if (!keys.has(known)) {
      row.element.remove();
      rows.delete(known);
    }
  items.forEach((item, n) => {
    const name = key(item);
    if (!rows.has(name)) rows.set(name, make(item));
    const row = rows.get(name);
    row.update(item);
    if (parent.children[n] !== row.element) parent.insertBefore(row.element, parent.children[n] ?? null);
  });
  if (active !== document.activeElement && active?.isConnected) active.focus({ preventScroll: true });
}

export class Table {
  /**
   * `columns` are `{title, name, make(cell), show(cell, item), sort(item)}`: `make` fills a new cell, `show`
   * updates it and may return its text; `sort` is there if one can sort by it.
   */
  constructor(label, columns, key) {
    this.columns = columns;
    this.key = key;
    this.rows = new Map();
    this.items = [];
    this.order = null;
    this.body = el('tbody', { role: 'rowgroup' });
    this.heads = columns.map((column) => this.head(column));
    this.element = el(
      'table',
      { role: 'table', 'aria-label': label },
      el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, this.heads)),
      this.body,
    );
  }

  head(column) {
    const properties = { role: 'columnheader', scope: 'col', class: column.kind };
    if (!column.sort) return el('th', properties, column.title);
    const button = el(
      'button',
      { type: 'button', class: 'sort', onclick: () => this.sortBy(column) },
      column.title,
    );
    return el('th', properties, button);
  }

  sortBy(column) {
    const falls = this.order?.column === column ? !this.order.falls : column.kind === 'figure';
    this.order = { column, falls };
    this.columns.forEach((each, n) => {
      if (each === column) this.heads[n].setAttribute('aria-sort', falls ? 'descending' : 'ascending');
      else this.heads[n].removeAttribute('aria-sort');
    });
    this.show(this.items);
  }

  show(items) {
    this.items = items;
    sync(this.body, this.rows, this.sorted(items), this.key, () => this.row());
  }

  sorted(items) {
    if (this.order === null) return items;
    const { column, falls } = this.order;
    const value = (item) => column.sort(item) ?? -Infinity;
    return [...items].sort((a, b) => (falls ? compare(value(b), value(a)) : compare(value(a), value(b))));
  }

  row() {
    const cells = this.columns.map((column, n) => {
      const cell = el(n === 0 ? 'th' : 'td', {
        role: n === 0 ? 'rowheader' : 'cell',
        scope: n === 0 ? 'row' : null,
        class: column.kind,
        'data-title': column.title,
      });
      return { column, cell, parts: column.make?.(cell) };
    });
    return {
      element: el(
        'tr',
        { role: 'row' },
        cells.map((each) => each.cell),
      ),
      update: (item) => {
        for (const { column, cell, parts } of cells) {
          const text = column.show(item, parts, cell);
          if (text !== undefined && cell.textContent !== text) fill(cell, text);
        }
      },
    };
  }
}

function compare(a, b) {
  if (typeof a === 'string' || typeof b === 'string') return String(a).localeCompare(String(b), 'en');
  return a - b;
}
