// The client's side of the flow, for one page: send the access token, and when it has expired renew it once and
// repeat the call.
//
//   const client = createClient({ onAccess, onSignedOut });
//   const answer = await client.call('/api/me');      // { status, body }
//
// Where the tokens are:
// - The access token is in a variable. It lives for minutes at most; a reload asks for another one.
// - The refresh token is in an HttpOnly cookie that this script cannot read and that the browser sends to /auth alone.
//
// A client that keeps its own refresh tokens (a mobile app, for instance) owes one thing more: write the new
// pair to its storage *before* using it. Here the browser has stored the cookie by the time `fetch` resolves.

/** Thrown by `call` and `refresh` when only a new log-in can help. `onSignedOut` was told the same. */
export class SignedOut extends Error {
  constructor({ code, message, reason }) {
    super(message);
    this.name = 'SignedOut';
    this.code = code;
    this.reason = reason;
  }
}

/** Thrown when the server could not answer. Nobody is signed out: the tokens are kept, try again later. */
export class TryLater extends Error {
  constructor(message, code) {
    super(message);
    this.name = 'TryLater';
    this.code = code;
  }
}

/** A trace watches the requests (timeline.js draws one); this one does not. */
const untraced = { step: () => () => {}, joined: () => {} };

/**
 * @param {object} options
 * @param {(access: { token: string, expiresIn: number }) => void} options.onAccess a new access token arrived; seconds
 * @param {(why: SignedOut) => void} options.onSignedOut the session is over
 */
export function createClient({ onAccess, onSignedOut }) {
  let access; // the newest access token
  let refreshing; // the refresh in flight, if there is one

  /** Takes `{ accessToken, expiresIn }`, as log-in and refresh answer it. */
  function adopt({ accessToken, expiresIn }) {
    access = accessToken;
    onAccess({ token: accessToken, expiresIn });
  }

  /** Sends a request with the access token; renews it and repeats the request once, if that is what is wrong. */
  async function call(path, { trace = untraced, ...init } = {}) {
    if (!access) await refresh(trace);
    const sent = access;
    const answer = await send(path, authorized(init, sent), trace);
    if (answer.status !== 401) return answer;

    // ERR_TOKEN_EXPIRED is the usual case. Any other refusal of an access token ends up here too, because only
    // the refresh endpoint knows whether the session itself is over, and why. Somebody else may have renewed the
    // token while this request was on its way: then there is nothing left but to repeat it.
    if (access === sent) await refresh(trace);
    return send(path, authorized(init, access), trace, { retry: true });
  }

  /** Renews the access token. However many callers ask at the same time, one request is sent. */
  function refresh(trace = untraced) {
    if (refreshing) trace.joined();
    else refreshing = oneTabAtATime(() => renew(trace)).finally(() => (refreshing = undefined));
    return refreshing;
  }

  async function renew(trace) {
    let answer = await send('/auth/refresh', { method: 'POST' }, trace, { refresh: true });
    // ERR_REFRESH_SUPERSEDED: another tab was faster. The cookie it was given is ours too, so ask again with that.
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

  /** Forgets the access token and says why. */
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
    /** A request without tokens, for log-in and the like. */
    send: (path, { trace = untraced, ...init } = {}) => send(path, init, trace),
    get signedIn() {
      return access !== undefined;
    },
  };
}

/** Two tabs share one cookie. A lock makes them refresh one after the other, each with the newest cookie. */
function oneTabAtATime(task) {
  // Browsers offer locks on HTTPS and localhost only. Without them the server's grace period settles the race.
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
