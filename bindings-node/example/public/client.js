// The client's side of the flow in a browser: sends the access token; when it has expired, refreshes once and
// repeats the call.
//
//   const client = createClient({ onAccess, onSignedOut });
//   const answer = await client.call('/api/me');      // { status, body }
//
// Where the tokens are:
// - The access token is in a variable and lives for minutes. After a reload the client refreshes.
// - The refresh token is in an HttpOnly cookie that this script cannot read and that the browser sends to /auth only.
//
// A client that stores refresh tokens itself (such as a mobile app) must write the new pair to its storage
// *before* using it. Here the browser has stored the cookie by the time `fetch` resolves.

/** Thrown by `call` and `refresh` when the user has to log in again, after `onSignedOut` was called with it. */
export class SignedOut extends Error {
  constructor({ code, message, reason }) {
    super(message);
    this.name = 'SignedOut';
    this.code = code;
    this.reason = reason;
  }
}

/** Thrown when the server is unavailable. The tokens are kept; try again later. */
export class TryLater extends Error {
  constructor(message, code) {
    super(message);
    this.name = 'TryLater';
    this.code = code;
  }
}

/** A trace that does nothing. The timeline (timeline.js) provides one that draws the requests. */
const untraced = { step: () => () => {}, joined: () => {} };

/**
 * @param {object} options
 * @param {(access: { token: string, expiresIn: number }) => void} options.onAccess receives each new access token; seconds
 * @param {(why: SignedOut) => void} options.onSignedOut called when the session is revoked or expired
 */
export function createClient({ onAccess, onSignedOut }) {
  let access; // the newest access token
  let refreshing; // the refresh in flight, if there is one

  /** Takes `{ accessToken, expiresIn }`, the response body of login and refresh. */
  function adopt({ accessToken, expiresIn }) {
    access = accessToken;
    onAccess({ token: accessToken, expiresIn });
  }

  /** Sends a request with the access token. On 401 it refreshes and repeats the request once. */
  async function call(path, { trace = untraced, ...init } = {}) {
    if (!access) await refresh(trace);
    const sent = access;
    const answer = await send(path, authorized(init, sent), trace);
    if (answer.status !== 401) return answer;

    // Usually ERR_TOKEN_EXPIRED. Other rejections of the access token end up here too, because only the refresh
    // endpoint knows whether the session is revoked, and why. If another caller has refreshed meanwhile, just
    // repeat the request.
    if (access === sent) await refresh(trace);
    return send(path, authorized(init, access), trace, { retry: true });
  }

  /** Refreshes the access token. Concurrent callers share one request. */
  function refresh(trace = untraced) {
    if (refreshing) trace.joined();
    else refreshing = oneTabAtATime(() => renew(trace)).finally(() => (refreshing = undefined));
    return refreshing;
  }

  async function renew(trace) {
    let answer = await send('/auth/refresh', { method: 'POST' }, trace, { refresh: true });
    // ERR_REFRESH_SUPERSEDED: another tab was faster. Its new refresh cookie is shared, so retry with that.
    if (answer.status === 409)
      answer = await send('/auth/refresh', { method: 'POST' }, trace, { refresh: true, retry: true });
    if (answer.status === 200) return adopt(answer.body);
    if (answer.status !== 401)
      throw new TryLater(
        answer.body?.error?.message ?? `The server answered ${answer.status}.`,
        answer.body?.error?.code,
      );
    throw end(answer.body.error);
  }

  /** Drops the access token and reports the reason. */
  function end(why) {
    access = undefined;
    const ended = new SignedOut(why);
    onSignedOut(ended);
    return ended;
  }

  return {
    adopt,
    call,
    refresh,
    end,
    /** Sends a request without an access token, such as a login. */
    send: (path, { trace = untraced, ...init } = {}) => send(path, init, trace),
    get signedIn() {
      return access !== undefined;
    },
  };
}

/** Tabs share the refresh cookie. A lock makes them refresh one after the other, each with the newest cookie. */
function oneTabAtATime(task) {
  // Browsers offer locks on HTTPS and localhost only. Without them the server's grace period covers the race.
  return navigator.locks ? navigator.locks.request('regrant-refresh', task) : task();
}

function authorized(init, token) {
  return { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } };
}

/** One request, as `{ status, body }`. */
async function send(path, init, trace, marks = {}) {
  const finish = trace.step({ method: init.method ?? 'GET', path, ...marks });
  let answer;
  try {
    const response = await fetch(path, init);
    const isJson = response.headers.get('content-type')?.includes('json');
    answer = { status: response.status, body: isJson ? await response.json() : undefined };
  } catch {
    finish({ failed: true });
    throw new TryLater('The server cannot be reached.');
  }
  finish({ status: answer.status, code: answer.body?.error?.code });
  return answer;
}

/** A POST with a JSON body. */
export function json(body) {
  return { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}
