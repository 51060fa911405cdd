// The OpenAPI document as what this page shows: interfaces, and their methods.

import { isObject, Schemas } from './schemas.js';
import { curlLine } from './sending.js';

const JSON_TYPE = 'application/json';

/** The folder of the page, also behind a proxy with a prefix. */
export const HOME = new URL('./', location.href.split('#')[0]);

/** What differs between pages; see `load`. */
const USUAL = { home: HOME, callable: true, authorization: true, command: curlLine, traceLink: null };

/** An error that a reader of the page can do something about. */
export class CatalogueError extends Error {}

/**
 * Fetch the document and return what it describes. Throws CatalogueError.
 *
 * `options` may have `home`, the URL below which are the document and the methods; `callable`, whether
 * there are forms; `authorization`, whether these have a field for it; `command(name, url, body,
 * headers)`, a call as a line for a shell; and `traceLink(id)`, where a trace is shown.
 */
export async function load(options = {}) {
  const chosen = { ...USUAL, ...options };
  const url = new URL('openapi.json', chosen.home);
  let response;
  try {
    response = await fetch(url, { cache: 'no-cache', headers: { Accept: JSON_TYPE } });
  } catch {
    throw new CatalogueError('The server did not answer. It may be stopped, or the network is down.');
  }
  if (!response.ok) {
    throw new CatalogueError(
      `The server answered ${response.status} ${response.statusText} instead of its description.`,
    );
  }
  try {
    return read(await response.json(), chosen);
  } catch {
    throw new CatalogueError('The server sent a description that is not an OpenAPI document.');
  }
}

/** Return the catalogue of a document, with the options of `load`. */
export function read(api, options = USUAL) {
  const schemas = new Schemas(api);
  const helps = new Map((api.tags ?? []).map((tag) => [tag.name, tag.description ?? '']));
  const interfaces = new Map();
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    const method = readMethod(path, item, schemas, options.home);
    if (method === null) continue;
    const name = method.interface;
    if (!interfaces.has(name)) interfaces.set(name, { name, help: helps.get(name) ?? '', methods: [] });
    interfaces.get(name).methods.push(method);
  }
  const sorted = [...interfaces.values()].sort((a, b) => compare(a.name, b.name));
  for (const each of sorted) each.methods.sort((a, b) => compare(a.name, b.name));
  return {
    title: api.info?.title ?? 'API',
    version: api.info?.version ?? '',
    help: api.info?.description ?? '',
    interfaces: sorted,
    methods: new Map(sorted.flatMap((each) => each.methods).map((each) => [each.name, each])),
    events: readEvents(api, options.home),
    timeoutHeader: api.components?.parameters?.Timeout?.name ?? 'X-Request-Timeout',
    hasTools: api['x-lymph']?.mcp === true,
    schemas,
    callable: options.callable,
    authorization: options.authorization,
    command: options.command,
    traceLink: options.traceLink,
  };
}

/** Return what a path says about a method, null if it is not that of one. */
function readMethod(path, item, schemas, home) {
  const operation = item?.post;
  const parts = path.split('/').filter((part) => part !== '');
  if (!isObject(operation) || parts.length < 2 || !operation.tags?.length) return null;
  const [owner, short] = parts.slice(-2).map(decodeURIComponent);
  const body = operation.requestBody?.content?.[JSON_TYPE]?.schema ?? {};
  const responses = Object.entries(operation.responses ?? {}).map(([status, response]) => [
    status,
    schemas.resolve(response),
  ]);
  const done = responses.find(([status]) => status.startsWith('2'))?.[1];
  const own = isObject(operation['x-lymph']) ? operation['x-lymph'] : {};
  return {
    name: `${owner}.${short}`,
    interface: owner,
    short,
    url: new URL(parts.slice(-2).join('/'), home),
    summary: operation.summary ?? '',
    help: operation.description ?? operation.summary ?? '',
    idempotent: own.idempotent === true,
    versions: (own.versions ?? []).filter((each) => typeof each === 'string'),
    schemaProblem: own.schema_problem ?? '',
    deprecated: operation.deprecated === true,
    body,
    result: done?.content?.[JSON_TYPE]?.schema,
    resultHelp: done?.description ?? '',
    errors: responses.filter(([status]) => !status.startsWith('2')),
    raises: own.raises ?? [],
  };
}

/** Return which types of events there are, null without events. */
function readEvents(api, home) {
  const allowed = api['x-lymph']?.events;
  return Array.isArray(allowed) ? { url: new URL('events', home), allowed } : null;
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
