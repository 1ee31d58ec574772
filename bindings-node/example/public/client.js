// The page's client, with each of its requests in the timeline. It is that of regrant/client: the access token is in
// a variable and the refresh token in an HttpOnly cookie that no script sees and that the browser sends to /auth only.

import { SessionError, createClient } from './regrant-client.js';

export { SessionError };

const REFRESH = '/auth/refresh';

/** A trace that does nothing. The timeline (timeline.js) provides one that draws the requests. */
const untraced = { step: () => () => {}, joined: () => {} };

let current = untraced; // where refreshes are drawn
let waiting = 0; // calls that were not sent yet
let shown; // the access token that was used last
let onToken = () => {};

export const client = createClient({ refresh: REFRESH, fetch: traced });

/** Draws the refreshes of an action in its trace; without one they are not drawn. */
export const traceRefreshes = (trace = untraced) => (current = trace);

/** `listener` receives each access token at its first use, whichever tab has renewed it. */
export const onAccessToken = (listener) => (onToken = listener);

/** A request with the access token: `{ status, body }`. */
export async function call(path, { trace = untraced, ...init } = {}) {
  const request = { trace, isSent: false };
  waiting += 1;
  try {
    return await read(await client.fetch(path, { ...init, request }));
  } finally {
    if (!request.isSent) waiting -= 1;
  }
}

/** Refreshes now, as the client does when a token has expired. Throws a `SessionError` if the session is over. */
export const renew = () => client.accessToken({ rejected: shown });

/** There was no answer to a request of `send`. */
export class Unreachable extends Error {}

/** A request without an access token, such as a login: `{ status, body }`. */
export async function send(path, { trace = untraced, ...init } = {}) {
  const request = { trace, isSent: true, isFirst: true };
  const response = await traced(path, { ...init, request }).catch((cause) => {
    throw new Unreachable('no answer', { cause });
  });
  return read(response);
}

/** The `fetch` of the client. */
async function traced(input, { request, ...init } = {}) {
  const path = new URL(input, location.href).pathname;
  const refresh = path === REFRESH;
  const { trace } = request ?? { trace: current };
  if (refresh && !request) for (let others = 1; others < waiting; others++) trace.joined();
  const bySend = request?.isFirst;
  const retry = request?.isSent && !bySend;
  if (request && !request.isSent) waiting -= 1;
  if (request) Object.assign(request, { isSent: true, isFirst: false });
  const [, token] = /^Bearer (.+)/.exec(new Headers(init.headers).get('authorization')) ?? [];
  // With `send` the token is the thief's.
  if (token && token !== shown && !bySend) onToken((shown = token));
  const finish = trace.step({ method: init.method ?? 'GET', path, refresh, ...(retry && { retry }) });
  try {
    const response = await fetch(input, init);
    const { status, body } = await read(response.clone());
    finish({ status, code: body?.error?.code });
    return response;
  } catch (error) {
    finish({ failed: true });
    throw error;
  }
}

async function read(response) {
  const isJson = response.headers.get('content-type')?.includes('json');
  return { status: response.status, body: isJson ? await response.json() : undefined };
}

/** A POST with a JSON body. */
export function json(body) {
  return { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}
