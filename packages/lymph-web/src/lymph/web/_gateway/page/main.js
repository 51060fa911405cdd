// The page: fetches the document, shows what the address names, and handles keys for all of it.

import { CatalogueError, load } from './catalogue.js';
import { fill } from './dom.js';
import { EventsView } from './events.js';
import { Listing } from './listing.js';
import { methodView } from './method.js';
import { broken, failed, loading, overview, unknown } from './overview.js';

const main = document.getElementById('main');
const filter = document.getElementById('filter');
const menu = document.getElementById('menu');
const side = document.getElementById('side');
const listing = new Listing(filter, document.getElementById('list'), document.getElementById('count'));

let catalogue = null;
let views = new Map(); // what was typed into a form stays while others are looked at

async function reload() {
  catalogue = null;
  for (const view of views.values()) view.stop?.();
  views = new Map();
  listing.clear();
  fill(main, loading());
  try {
    catalogue = await load();
  } catch (error) {
    if (!(error instanceof CatalogueError)) throw error;
    fill(main, failed(error, reload));
    main.querySelector('h1').focus();
    return;
  }
  document.getElementById('title').textContent = catalogue.title;
  listing.show(catalogue);
  show(false);
}

/** Show what the address names. `moved` is whether somebody went there, rather than opened the page. */
function show(moved) {
  if (catalogue === null) return;
  const name = addressed();
  const view = viewOf(name);
  view.update?.();
  fill(main, view.element);
  listing.mark(`#${name}`);
  document.title = name === '' ? catalogue.title : `${name} · ${catalogue.title}`;
  openMenu(false);
  if (moved) {
    window.scrollTo(0, 0);
    view.element.querySelector('h1')?.focus({ preventScroll: true });
  }
}

function addressed() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return location.hash.slice(1);
  }
}

function viewOf(name) {
  if (!views.has(name)) views.set(name, makeView(name));
  return views.get(name);
}

function makeView(name) {
  if (name === '') return { element: overview(catalogue) };
  if (name === 'events' && catalogue.events !== null)
    return new EventsView(catalogue.events, (count) => listing.count(count));
  const method = catalogue.methods.get(name);
  if (method === undefined) return { element: unknown(name) };
  try {
    return methodView(method, catalogue);
  } catch (error) {
    console.warn(error); // services describe themselves: one that does it badly must not break the page
    return { element: broken(name) };
  }
}

function openMenu(open) {
  side.classList.toggle('open', open);
  menu.setAttribute('aria-expanded', String(open));
}

function isTyping(element) {
  return (
    element instanceof HTMLElement &&
    element.matches('input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]')
  );
}

menu.addEventListener('click', () => openMenu(!side.classList.contains('open')));
document.getElementById('reload').addEventListener('click', reload);
document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault(); // the address is that of a method
  main.querySelector('h1')?.focus();
});
document.addEventListener('keydown', (event) => {
  if (event.key === '/' && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target)) {
    event.preventDefault();
    openMenu(true);
    filter.focus();
    filter.select();
  }
});
window.addEventListener('hashchange', () => show(true));
reload();
