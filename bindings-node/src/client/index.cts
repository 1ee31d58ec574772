/**
 * The client for web pages: a `fetch` that adds the access token and renews it, once for all callers and all tabs.
 *
 * @module regrant/client
 */
import { readAnswer, tokensOf, type ItemStorage, type LoginBody, type Store, type Tokens } from './endpoint.cjs';
import { claimsOf, createMachine, MAX_RETRY_AFTER, type Action, type Event, type Failure, type Grant, type Pair, type Retry, type SignedOut, type StorageRead } from './machine.cjs';
import { joinTabs, pageStorage, REQUEST_TIMEOUT, takeLock, type News } from './tabs.cjs';

export { rtVerify, storedTokens, type TokenKeys } from './stored.cjs';
export type { Failure, ItemStorage, LoginBody, SignedOut, Tokens };

/** How a page talks to its server. */
export interface ClientOptions {
  /** The URL of the refresh endpoint. Requests to its origin and to that of the page get the access token. */
  refresh: string;
  /** The URL of the logout endpoint; by default `logout` beside `refresh`, and none with `rtVerify()`. */
  logout?: string | undefined;
  /** Other origins whose requests get the access token. */
  allowedOrigins?: readonly string[] | undefined;
  /**
   * `storedTokens(storage)` or `rtVerify()`. Without it the access token is in memory and the refresh token in an `HttpOnly` cookie.
   */
  tokens?: Tokens | undefined;
  /** Sends the requests; by default the global `fetch`. */
  fetch?: typeof fetch | undefined;
}

/** Whether a user is signed in, and why not. */
export interface SessionState extends Readonly<Partial<SignedOut>> {
  /** `unknown` until a token was asked for. */
  readonly status: 'unknown' | 'signed_in' | 'signed_out';
  /** The user that the access token names. It changes if another user signs in, in whichever tab. */
  readonly subject?: string | undefined;
}

/** What a sign-out has reached. */
export interface SignOutResult {
  /** Whether the server has answered that the session is over. If it has not answered, the client tells it later: when it is online again, at its next start, or each minute. */
  revoked: boolean;
}

/** Options of {@link Client.accessToken}. */
export interface AccessTokenOptions {
  /** A token that a server has rejected: gives another one. */
  rejected?: string | undefined;
  /** Stops waiting; a refresh continues. */
  signal?: AbortSignal | null | undefined;
}

/** The session of the page's user. All functions may be detached. */
export interface Client {
  /**
   * As `fetch`. Adds the access token to requests for the page's own origin and those allowed. If the server rejects the token, renews
   * it and repeats the request once, unless its body is a stream. A request with a header `Authorization` of its own is sent as it is.
   *
   * @throws SessionError if there is no token.
   */
  fetch: typeof fetch;
  /**
   * An access token, renewed if it is about to expire.
   *
   * @throws SessionError if there is none.
   */
  accessToken(options?: AccessTokenOptions): Promise<string>;
  /**
   * Begins a session with the body of a login response.
   *
   * @throws TypeError for a body without tokens.
   * @throws SessionError with advice `retry` if the storage fails.
   */
  signIn(body: LoginBody): Promise<void>;
  /**
   * Ends the session in all tabs, and tells the server, for a few seconds at most.
   */
  signOut(): Promise<SignOutResult>;
  /** The present state. The object is the same until the state changes. */
  readonly state: SessionState;
  /** Calls `listener` at each change of the state; returns how to stop. */
  subscribe(listener: (state: SessionState) => void): () => void;
}

/** Why there is no access token. */
export class SessionError extends Error {
  /** `sign_in`: the session is over. `retry`: a temporary failure; the session goes on. */
  declare readonly advice: 'sign_in' | 'retry';
  /** Why. */
  declare readonly reason: SignedOut['reason'] | Failure['reason'];
  /** The error code of the server's answer. */
  declare readonly code?: string | undefined;
  /** The HTTP status of the server's answer. */
  declare readonly status?: number | undefined;
  /** Why the server revoked the session. */
  declare readonly revocation?: string | undefined;
  /** After how many seconds to retry. */
  declare readonly retryAfter?: number | undefined;

  /** @internal `retryAfter` is in milliseconds here. */
  constructor({ retryAfter, ...why }: (SignedOut & { retryAfter?: undefined }) | Retry) {
    super(why.reason);
    Object.assign(this, why, { name: 'SessionError', advice: retryAfter === undefined ? 'sign_in' : 'retry', retryAfter: retryAfter && Math.ceil(retryAfter / 1000) });
  }
}

/** A value of each option's type. */
const OPTIONS: Record<string, unknown> = { __proto__: null, refresh: '', logout: '', allowedOrigins: [], tokens: {}, fetch() {} };

/** Scheme, host and port of an absolute URL; other schemes have none that two URLs share. */
const originOf = (url: string) => /^https?:\/\/[^/?#]+/.exec(url.toLowerCase())?.[0] ?? url;

/** In cookie mode, the pair of a page that has not asked for a token: there may be a refresh cookie. */
const NOT_KNOWN: Pair = { refresh: '', access: '' };
/** After an aborted request, its cookie may still be on its way from the network to the browser's cookies. */
const SETTLE = 1_000;
/** How long the server is asked to end a session. */
const LOGOUT_TIMEOUT = 3_000;
/** After how long the server is asked again, unless it says later. */
const LOGOUT_RETRY = 60_000;
/** How long a storage may take. */
const STORAGE_TIMEOUT = 10_000;
/** How long other tabs may take to answer. */
const ANSWER_TIMEOUT = 100;

/** Receives the reply of the machine. */
type Caller = (token?: string, error?: SignedOut | Retry) => void;

/**
 * Creates the client of a page. A page needs one; the clients of all tabs share the session.
 *
 * ```js
 * const client = createClient({ refresh: '/auth/refresh' });
 * client.subscribe((state) => state.status === 'signed_out' && showLogin(state.reason));
 * const response = await client.fetch('/api/me');
 * ```
 *
 * @throws TypeError for an unknown option, or one of the wrong type; names it.
 */
export function createClient(options: ClientOptions): Client {
  for (const name of ['refresh', ...Object.keys(options)]) {
    const value = options[name as keyof ClientOptions];
    const isKnown = name in OPTIONS;
    const isFit = value ? typeof value === typeof OPTIONS[name] : value === undefined && name !== 'refresh';
    if (!isKnown || !isFit) throw new TypeError(`${isKnown ? 'invalid' : 'unknown'} option "${name}"`);
  }
  const {
    refresh, logout, allowedOrigins = [], tokens,
    // Looked up per call, so that instrumentation of the page counts.
    fetch: send = (input: RequestInfo | URL, init?: RequestInit) => fetch(input, init),
  } = options;
  const { header = 'authorization', rejections = [401] } = Object(tokens) as Partial<Tokens>;
  const page = globalThis.location?.href;
  /** An absolute URL without its fragment, to compare it. */
  const resolve = (url: string) => new URL(url, page).href.replace(/#.*/, '');
  const absolute = (url: string) => {
    const resolved = resolve(url);
    // Without a page there is nothing to resolve, and the `URL` of React Native adds a slash to what it is given.
    return page ? resolved : url;
  };
  const refreshUrl = absolute(refresh);
  const logoutUrl = logout ? absolute(logout) : !tokens?.header && refreshUrl.replace(/[^/?#]*([?#].*)?$/, 'logout');
  const origins = [refresh, page ?? refresh, ...allowedOrigins].map((url) => originOf(resolve(url)));
  const name = `regrant:${refreshUrl}`;
  const items = tokens?.storage ?? pageStorage();

  const machine = createMachine<Caller>(Math.random);
  let listeners: ((state: SessionState) => void)[] = [];
  let state: SessionState = { status: 'unknown' };
  let timer: ReturnType<typeof setTimeout>;
  /** Releases the lock. */
  let release = () => {};
  /** Whether another tab has taken the lock by force. */
  let isLost = false;
  /** Whether other tabs are asked at the next read: the first one under the lock, unless one has told meanwhile. */
  let isToAsk = false;
  /** Called when another tab tells something new. */
  let onHeard = () => {};
  /** Gives up the request in flight. */
  let abort = () => {};
  let flight: Promise<unknown> | undefined;
  let signingOut: Promise<SignOutResult> | undefined;
  /** What the server answered to the sign-out: whether the session is over. */
  let revoked: boolean | undefined;
  /** The request that tells the server of an earlier sign-out. */
  let telling: Promise<unknown> | undefined;
  let logoutTimer: ReturnType<typeof setTimeout>;
  /** In cookie mode, what is known of the session: scripts do not see the cookie. */
  let known: Pair | null = NOT_KNOWN;

  const store: Store = tokens?.store ?? {
    read: async () => (await telling, (await note('getItem')) ? null : known),
    async write(pair) {
      await note('removeItem');
      known = pair;
    },
    clear: () => (known = null),
  };
  const tell = joinTabs(name, machine.held, onNews);

  const dispatch = (...event: Event<Caller>) => {
    for (const [kind, ...rest] of machine.handle(performance.now(), Date.now(), event)) perform[kind](...(rest as [never, never, never]));
    clearTimeout(timer);
    const at = machine.wakeAt();
    if (at < Infinity) timer = setTimeout(() => dispatch('tick'), at - performance.now() + 1);
  };

  const perform: Record<Action<Caller>[0], (first: never, second: never, third: never) => void> = {
    reply: (caller: Caller, token, error) => caller(token, error),
    lock,
    unlock: () => release(),
    read: (ticket) => report(ticket, read()),
    write: (ticket, pair) => report(ticket, write(pair).then(() => true)),
    send: (ticket, pair) => (flight = sendToken(pair).then((answer) => dispatch('report', ticket, answer))),
    state: publish,
  };

  function publish() {
    const held = machine.held();
    const over = machine.over();
    const next: SessionState = (state = held ? { status: 'signed_in', subject: held.subject } : { status: over ? 'signed_out' : 'unknown', ...over });
    listeners.forEach((listener) => queueMicrotask(() => listener(next)));
  }

  async function lock(ticket: number) {
    isToAsk = !tokens;
    // Without a lock the server's grace period covers most of the races.
    release = await takeLock(name, () => {
      isLost = true;
      abort();
    }).catch(() => () => {});
    isLost = false;
    dispatch('report', ticket, true);
  }

  /** Reports what the storage has done; nothing if it fails or is late. */
  function report(ticket: number, result: Promise<StorageRead | boolean>) {
    const done = (value?: StorageRead | boolean) => {
      clearTimeout(late);
      dispatch('report', ticket, value);
    };
    const late = setTimeout(done, STORAGE_TIMEOUT);
    result.then(done, () => done());
  }

  /** The session that has ended here and not yet at the server. If the storage fails, the server is told at once or never. */
  async function note(what: 'getItem' | 'setItem' | 'removeItem', session?: string) {
    try {
      return JSON.parse((await items?.[what](`${name}:logout`, session!)) as string);
    } catch {
      return undefined;
    }
  }

  async function read(): Promise<StorageRead> {
    if (isToAsk && tell) {
      isToAsk = false;
      tell();
      await new Promise<void>((resolve) => {
        onHeard = resolve;
        setTimeout(resolve, ANSWER_TIMEOUT);
      });
    }
    return store.read();
  }

  async function write(pair?: Pair) {
    const why = machine.over()!;
    // The cookie of a refresh that is no longer wanted must not land after that of a login or logout.
    abort();
    await flight;
    if (pair) {
      await store.write(pair);
      tell?.(pair);
      return;
    }
    const ended = await store.read();
    try {
      await store.clear();
    } finally {
      if (!signingOut) tell?.(why);
      // In cookie mode the server is told which session: another may have begun, and its cookie is in the place of this one.
      else await endSession(tokens ? ended : `session=${claimsOf((ended as Pair | null)?.access!)['sid'] ?? ''}`);
    }
  }

  /**
   * Sends the refresh token to the refresh endpoint, or to this logout endpoint. The result is `undefined` without a response. An answer
   * that was given up may have set its cookie, so that is reported later.
   */
  function sendToken(pair: Partial<Pair>, logout?: string) {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const givenUp = new Promise<undefined>((resolve) => {
      const giveUp = () => {
        controller.abort();
        setTimeout(resolve, SETTLE);
      };
      timer = setTimeout(giveUp, logout ? LOGOUT_TIMEOUT : REQUEST_TIMEOUT);
      // The logout request of a sign-out continues after news of other tabs, and if the page is left.
      if (!signingOut) abort = giveUp;
      // Another tab refreshes.
      if (isLost && !logout) giveUp();
    });
    const answer = send(logout ?? refreshUrl, {
      method: 'POST',
      ...tokens?.request(pair),
      credentials: 'include',
      // A captive portal or a login page is no answer, and must not get the token.
      redirect: 'error',
      // The page may be left after a logout.
      keepalive: !!logout,
      signal: controller.signal,
    }).then(async (response) => readAnswer(response, await response.text(), tokens));
    return Promise.race([givenUp, answer.catch(() => (controller.signal.aborted ? givenUp : undefined))]).finally(() => clearTimeout(timer));
  }

  /**
   * Tells the server, and again later if it cannot answer.
   *
   * @param session - The pair; in cookie mode the query that names it, as far as it is known. `null` if there is none.
   */
  async function endSession(session: any) {
    if (!session || !logoutUrl) return;
    await note('setItem', JSON.stringify(session));
    const url = tokens ? logoutUrl : logoutUrl + (/\?/.test(logoutUrl) ? '&' : '?') + session;
    const answer = await sendToken(session, url);
    ({ revoked } = Object(answer));
    if (revoked !== undefined) return note('removeItem');
    clearTimeout(logoutTimer);
    logoutTimer = setTimeout(tellServer, Math.max(LOGOUT_RETRY, Math.min(answer?.retryAfter ?? 0, MAX_RETRY_AFTER)));
    // Node.js: does not keep the process alive.
    (logoutTimer as { unref?(): void }).unref?.();
  }

  function onNews(news: News) {
    const held = machine.held();
    const isOver = 'reason' in news;
    if (!isOver && (held?.access === news.access || held?.issuedAt! > news.issuedAt!)) return;
    // The cookie of a late response would replace that of the other tab.
    abort();
    known = isOver ? null : news;
    isToAsk = false;
    dispatch('news', news);
    onHeard();
  }

  /** The reply to a caller. */
  function call(kind: 'acquire' | 'renew' | 'signIn' | 'signOut', argument?: Grant | string, signal?: AbortSignal | null) {
    let stop: () => void;
    return new Promise<string>((resolve, reject) => {
      const caller: Caller = (token, error) => (error ? reject(new SessionError(error)) : resolve(token!));
      stop = () => {
        // React Native gives no reason.
        reject(signal!.reason ?? Object.assign(Error('AbortError'), { name: 'AbortError' }));
        dispatch('cancel', caller);
      };
      if (signal?.aborted) return stop();
      signal?.addEventListener('abort', stop);
      dispatch(...([kind, caller, argument] as Event<Caller>));
    }).finally(() => signal?.removeEventListener('abort', stop));
  }

  const accessToken = ({ rejected, signal }: AccessTokenOptions = {}) => call(rejected ? 'renew' : 'acquire', rejected, signal);

  const clientFetch: typeof fetch = async (input, init) => {
    // A string and a URL have none of the members.
    const request = input as Partial<Request>;
    const given = <Name extends 'method' | 'headers' | 'signal'>(name: Name) => init?.[name] ?? request[name];
    const headers = new Headers(given('headers'));
    const signal = given('signal');
    const url = resolve(request.url ?? String(input));
    const origin = originOf(url);
    if (!origins.includes(origin) || headers.has(header)) return send(input, init);

    const attempt = (token: string, resource = input) => {
      headers.set(header, `Bearer ${token}`);
      return send(resource, { ...init, headers });
    };
    const token = await accessToken({ signal });
    // A request that has a body is consumed by sending it.
    const response = await attempt(token, request.clone?.());
    if (!rejections.includes(response.status)) return response;
    // A service worker may give a response without its URL.
    const from = resolve(response.url || url);
    // Another server says nothing about the token.
    if (originOf(from) !== origin) return response;
    try {
      const another = await accessToken({ rejected: token, signal });
      // A body can be sent twice unless it is a stream, or one of those that Node.js takes besides.
      const { getReader, [Symbol.asyncIterator]: iterator } = Object(init?.body);
      // After a redirect the response is about another request, and this one may have been processed.
      if (getReader || iterator || (from !== url && !/^(GET|HEAD)?$/i.test(given('method') ?? ''))) return response;
      void response.body?.cancel().catch(() => {});
      return await attempt(another);
    } catch (error) {
      // The server rejects tokens that it issued a moment ago: the response is about something else.
      if ((error as Partial<SessionError> | undefined)?.reason === 'access_rejected') return response;
      throw error;
    }
  };

  const signOut = () =>
    (signingOut ??= (async () => {
      revoked = undefined;
      tell?.({ reason: 'elsewhere' });
      await call('signOut').catch(() => {});
      signingOut = undefined;
      return { revoked: !!revoked };
    })());

  /** Tells the server of an earlier sign-out, if there is one that it has not answered. */
  function tellServer() {
    telling = note('getItem').then(endSession);
  }

  // Absent in React Native.
  const { addEventListener: listen = () => {} } = globalThis as { addEventListener?: typeof addEventListener };
  listen('online', () => {
    dispatch('online');
    tellServer();
  });
  listen('pagehide', () => {
    abort();
    release();
  });
  listen('pageshow', ({ persisted }) => {
    if (!persisted) return;
    // Other tabs may have signed out or in meanwhile; the server knows.
    known ??= NOT_KNOWN;
    accessToken({ rejected: machine.held()?.access }).catch(() => {});
  });
  tellServer();
  tell?.();
  // What the cookie is worth only the server knows.
  if (tokens) dispatch('start');

  return {
    fetch: clientFetch,
    accessToken,
    async signIn(body) {
      const pair = tokensOf(body, tokens);
      if (!pair?.refresh) throw new TypeError('no login body');
      // The answer to an earlier request, in whichever tab, must not replace the cookie of the login.
      abort();
      if (!tokens) tell?.(pair as Pair);
      await call('signIn', pair);
    },
    signOut,
    get state() {
      return state;
    },
    subscribe(listener) {
      listeners.push(listener);
      return () => {
        listeners = listeners.filter((one) => one !== listener);
      };
    },
  };
}
