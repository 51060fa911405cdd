// Requests to the dashboard for data.

import { HOME } from './catalogue.js';
import { load as problemText } from './problems.js';

/** Why there is no answer, in words for the reader; `status` is 0 if nobody answered. */
export class Unanswered extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

const lost = () => new Unanswered('The dashboard did not answer. It may have been stopped.', 0);

/** Return the URL of data; `query` are its parameters, of which null ones are left out. */
export function urlOf(path, query = {}) {
  const url = new URL(`data/${path}`, HOME);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  return url;
}

/** Return the data at a URL. Throws Unanswered. */
export async function get(url, signal) {
  return answerOf(fetch(url, { headers: { Accept: 'application/json' }, cache: 'no-store', signal }));
}

/** Ask for a change, and return the answer; null if it is empty. Throws Unanswered. */
export async function post(url, body) {
  return answerOf(
    fetch(url, {
      method: 'POST',
      headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    }),
  );
}

async function answerOf(asked) {
  let response;
  try {
    response = await asked;
  } catch {
    throw lost();
  }
  if (!response.ok) throw new Unanswered(await problemText(response), response.status);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch {
    throw lost(); // in the middle of the answer
  }
}
