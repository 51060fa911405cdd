// A call: sent, measured, and as a line for a shell.

import { JsonError, parse } from './json.js';
import { textOf } from './problems.js';

const LARGE = 2e6; // characters; what is longer is shown as it came

/**
 * Send a call and return its outcome, whatever it is. Never throws.
 *
 *     {failure}                                    nothing arrived
 *     {status, words, seconds, size, traceId, retryAfter, replayed, text, value, isProblem}
 *
 * `value` is undefined if the text is not JSON.
 */
export async function send(url, body, headers, signal) {
  const began = performance.now();
  let response;
  let text;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { Accept: 'application/json, application/problem+json', ...headers },
      body,
      signal,
      cache: 'no-store',
      credentials: 'same-origin',
    });
    text = await response.text();
  } catch {
    return { failure: signal.aborted ? 'cancelled' : 'unreachable' };
  }
  const type = response.headers.get('Content-Type') ?? '';
  const value = readJson(text, type);
  return {
    status: response.status,
    words: response.statusText,
    seconds: (performance.now() - began) / 1000,
    size: new TextEncoder().encode(text).length,
    traceId: response.headers.get('X-Trace-Id') ?? (value instanceof Map ? textOf(value, 'trace_id') : null),
    retryAfter: response.headers.get('Retry-After'),
    replayed: response.headers.get('Idempotent-Replayed') ?? response.headers.get('Idempotency-Replayed'),
    text,
    value,
    isProblem: !response.ok && value instanceof Map,
  };
}

function readJson(text, type) {
  if (!/\bjson\b/.test(type) || text.length > LARGE) return undefined;
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

/** Return the command that sends the same call; `name` is the method's. */
export function curlLine(name, url, body, headers) {
  const fields = Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  return ['curl', quoted(url.href), ...fields, '--data-raw', quoted(body)].join(' ');
}

/** Return a text as one word for a shell. */
export function quoted(text) {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
