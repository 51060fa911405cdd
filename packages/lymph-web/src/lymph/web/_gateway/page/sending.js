// A call: sent, measured, and as a line for a shell.

import { JsonError, parse } from './json.js';

/** Return the header fields of a call; `options` are `deadline` and `key`, texts, '' for none. */
export function headersOf(options) {
  const headers = { 'Content-Type': 'application/json' };
  if (options.deadline) headers['X-Request-Timeout'] = options.deadline;
  if (options.key) headers['Idempotency-Key'] = inQuotes(options.key);
  return headers;
}

// the field is a string of a structured header (RFC 8941), which has quotes
function inQuotes(key) {
  return /^".*"$/.test(key) ? key : `"${key.replace(/["\\]/g, '')}"`;
}

/**
 * Send a call and return its outcome, whatever it is. Never throws.
 *
 *     {failure}                                    nothing arrived
 *     {status, words, seconds, size, traceId, retryAfter, replayed, text, value, isProblem}
 *
 * `value` is undefined if the text is not JSON.
 */
export async function send(url, body, options, signal) {
  const began = performance.now();
  let response;
  let text;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { Accept: 'application/json, application/problem+json', ...headersOf(options) },
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
    traceId: response.headers.get('X-Trace-Id'),
    retryAfter: response.headers.get('Retry-After'),
    replayed: response.headers.get('Idempotent-Replayed') ?? response.headers.get('Idempotency-Replayed'),
    text,
    value,
    isProblem: !response.ok && value instanceof Map,
  };
}

function readJson(text, type) {
  if (!/\bjson\b/.test(type)) return undefined;
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

/** Return the command that sends the same call. */
export function curlLine(url, body, options) {
  const fields = Object.entries(headersOf(options)).map(
    ([name, value]) => `-H ${quoted(`${name}: ${value}`)}`,
  );
  return ['curl', quoted(url.href), ...fields, '--data-raw', quoted(body)].join(' ');
}

function quoted(text) {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Return a new key for `Idempotency-Key`; `crypto.randomUUID` would need HTTPS. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
