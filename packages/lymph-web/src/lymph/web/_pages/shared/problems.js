// Problems (RFC 9457) as sentences.

import { JsonError, parse } from './json.js';

// of the reasons that servers give, those where it is certain that the method ran
const RAN = new Set(['declared', 'failed', 'unreadable_result']);

/** Return what a problem says first: the error that the method raised, or what went wrong. */
export function headline(problem) {
  const detail = textOf(problem, 'detail') ?? textOf(problem, 'message');
  const type = textOf(problem, 'error_type');
  if (type) return detail ? `${type}: ${detail}` : type;
  return detail ?? textOf(problem, 'title') ?? 'It failed';
}

/** Return a sentence about whether the method ran; null where nothing is said about it. */
export function ranText(problem) {
  const ran = problem.get('may_have_run');
  if (ran === false) return 'The method did not run.';
  if (ran !== true) return null;
  return RAN.has(problem.get('reason')) ? 'The method ran.' : 'The method may have run.';
}

/** Return a member of a problem that is text and not empty, else null. */
export function textOf(problem, key) {
  const found = problem.get(key);
  return typeof found === 'string' && found !== '' ? found : null;
}

/** Return what an answer that is an error says, as one line. */
export async function load(response) {
  const status = `${response.status} ${response.statusText}`.trim();
  try {
    const problem = parse(await response.text());
    return problem instanceof Map ? `${headline(problem)} (${status})` : status;
  } catch (error) {
    if (error instanceof JsonError || error instanceof TypeError) return status;
    throw error;
  }
}
