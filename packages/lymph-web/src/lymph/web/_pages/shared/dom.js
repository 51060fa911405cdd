// Elements. All text goes in as text nodes, so nothing that a service says is read as HTML.

let last = 0;

/** Return an id that no other element has. */
export function newId(word) {
  last += 1;
  return `${word}-${last}`;
}

/**
 * Return a new element: `el('a', {href: '#x', class: 'link', onclick: f}, 'text', child)`.
 *
 * Properties that start with `on` are listeners; false, null and undefined leave an attribute out,
 * true sets it without a value. Children are nodes, or text; null and false are left out.
 */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

/** Replace everything inside an element. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Return paragraphs of a docstring: text in `backticks` is code, indented text keeps its lines. */
export function prose(text) {
  return text
    .split(/\n\s*\n/)
    .filter((part) => part.trim() !== '')
    .map((part) =>
      /^(\s+|[-*] |\d+\. )/m.test(part)
        ? el('pre', { class: 'prose' }, dedented(part.replace(/^\n+|\s+$/g, '')))
        : el('p', {}, withCode(part.trim())),
    );
}

function dedented(text) {
  const lines = text.split('\n');
  const indents = lines.filter((line) => line.trim() !== '').map((line) => line.search(/\S/));
  const least = Math.min(...indents);
  return lines.map((line) => line.slice(least)).join('\n');
}

/** Return text as nodes, with what is in backticks as code. */
export function withCode(text) {
  return text
    .split(/(``[^`]+``|`[^`]+`)/)
    .map((part) =>
      part.length > 2 && part.startsWith('`') && part.endsWith('`')
        ? el('code', {}, part.replace(/^`+|`+$/g, ''))
        : part,
    );
}

/** Return a button that copies what `text()` returns, and says so. */
export function copyButton(text, what) {
  const button = el('button', { type: 'button', class: 'small', 'aria-label': `Copy ${what}` }, 'Copy');
  button.addEventListener('click', async () => {
    const copied = await copy(text());
    button.textContent = copied ? 'Copied' : 'Not copied';
    setTimeout(() => (button.textContent = 'Copy'), 1500);
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // the clipboard needs HTTPS or localhost; the old way does not
    const active = document.activeElement;
    const area = el('textarea', { class: 'hidden', 'aria-hidden': 'true' });
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    active?.focus();
    return copied;
  }
}
