// A stream of server-sent events, read by `fetch`: unlike an EventSource it gets events of types that
// are not known beforehand, and the reason why the server refuses.

import { load } from './problems.js';

const PATIENCE = 3000; // milliseconds before it connects again, unless the server says otherwise

/** Reads text of a stream piece by piece. Source: the HTML standard, section 9.2. */
export class EventReader {
  /** `onEvent({type, id, data})` gets each event. */
  constructor(onEvent) {
    this.onEvent = onEvent;
    this.retry = PATIENCE;
    this.rest = '';
    this.begin();
  }

  begin() {
    this.event = { type: 'message', id: '', data: [] };
  }

  feed(text) {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop();
    for (const line of lines) this.line(line.endsWith('\r') ? line.slice(0, -1) : line);
  }

  line(line) {
    if (line === '') {
      if (this.event.data.length > 0) this.onEvent({ ...this.event, data: this.event.data.join('\n') });
      this.begin();
      return;
    }
    const [name, value] = split(line);
    if (name === 'event') this.event.type = value;
    else if (name === 'id') this.event.id = value;
    else if (name === 'data') this.event.data.push(value);
    else if (name === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
  }
}

function split(line) {
  const at = line.indexOf(':');
  if (at < 0) return [line, ''];
  return [line.slice(0, at), line.slice(line[at + 1] === ' ' ? at + 2 : at + 1)];
}

/**
 * Listen until `signal` is aborted; connect again when the stream ends.
 *
 * `on` has `open()`, `event({type, id, data})`, `lost()` and, at the end, `refused(text, status)`.
 */
export async function listen(url, headers, signal, on) {
  let pause = PATIENCE;
  while (!signal.aborted) {
    const reader = new EventReader(on.event);
    try {
      const response = await fetch(url, {
        headers: { ...headers, Accept: 'text/event-stream' },
        signal,
        cache: 'no-store',
      });
      if (!response.ok) {
        on.refused(await load(response), response.status);
        return;
      }
      on.open();
      await read(response, reader);
      pause = reader.retry;
    } catch {
      if (signal.aborted) return;
    }
    on.lost();
    await sleep(pause, signal);
  }
}

async function read(response, reader) {
  const decoder = new TextDecoder();
  const body = response.body.getReader();
  for (;;) {
    const { done, value } = await body.read();
    if (done) return;
    reader.feed(decoder.decode(value, { stream: true }));
  }
}

function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
