/**
 * The client for web pages: a `fetch` that adds the access token and renews it, once for all callers and all tabs.
 *
 * @module regrant/client
 */
import { pairOf, readAnswer, type ItemStorage, type LoginBody, type Store, type Tokens } from './endpoint.cjs';
import { claimsOf, createMachine, type Action, type Event, type Failure, type Pair, type Retry, type SignedOut, type StorageRead } from './machine.cjs';
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
  /** Whether the server has answered that the session is over. If not, the client tells it later: when it is online again, or at its next start. */
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
  constructor(why: SignedOut | Retry) {
    const isRetry = 'retryAfter' in why;
    const advice = isRetry ? 'retry' : 'sign_in';
    super(why.reason);
    Object.assign(this, why, { name: 'SessionError', advice }, isRetry && { retryAfter: Math.ceil(why.retryAfter / 1000) });
  }
}

/** The types of the options. */
const OPTIONS: Record<string, string> = { __proto__: null as never, refresh: 'string', logout: 'string', allowedOrigins: 'object', tokens: 'object', fetch: 'function' };

/** Scheme, host and port of an absolute URL; other schemes have none that two URLs share. */
const originOf = (url: string) => /^https?:\/\/[^/?#]+/.exec(url)?.[0] ?? url;

/** After an aborted request, its cookie may still be on its way from the network to the browser's cookies. */
const SETTLE = 1_000;
/** How long the server is asked to end a session. */
const LOGOUT_TIMEOUT = 3_000;
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
    const type = OPTIONS[name];
    const isFit = value ? typeof value === type : value === undefined && name !== 'refresh';
    if (!type || !isFit) throw new TypeError(`${type ? 'invalid' : 'unknown'} option "${name}"`);
  }
  const { refresh, logout, allowedOrigins = [], tokens } = options;
  const { header = 'authorization', rejections = [401] } = tokens ?? ({} as Partial<Tokens>);
  // Looked up per call, so that instrumentation of the page counts.
  const send: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init));
  const page = globalThis.location?.href;
  const absolute = (url: string) => {
    const resolved = new URL(url, page).href;
    // Without a page there is nothing to resolve, and the `URL` of React Native adds a slash to what it is given.
    return page ? resolved : url;
  };
  const refreshUrl = absolute(refresh);
  const logoutUrl = logout ? absolute(logout) : !tokens?.header && refreshUrl.replace(/[^/?#]*([?#].*)?$/, 'logout');
  const origins = [refreshUrl, page ?? refreshUrl, ...allowedOrigins.map(absolute)].map(originOf);
  const name = `regrant:${refreshUrl}`;
  const items = tokens?.storage ?? pageStorage();
  const logoutItem = `${name}:logout`;

  const machine = createMachine<Caller>(Math.random);
  let listeners: ((state: SessionState) => void)[] = [];
  let state: SessionState = { status: 'unknown' };
  let timer: ReturnType<typeof setTimeout>;
  /** Releases the lock. */
  let release = () => {};
  /** Whether other tabs are asked at the next read: the first one under the lock, unless one has told meanwhile. */
  let isToAsk = false;
  /** Called when another tab tells something new. */
  let onHeard = () => {};
  /** Gives up the refresh in flight. */
  let abort = () => {};
  let flight: Promise<unknown> | undefined;
  let signingOut: Promise<SignOutResult> | undefined;
  /** Whether the server has ended the session. */
  let revoked = false;
  /** Tells the server of an earlier sign-out. */
  let telling: Promise<void> | undefined;
  /** In cookie mode, what is known of the session. The cookie is not seen: there may be one until the server says otherwise. */
  let known: Pair | null = { refresh: '', access: '' };

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
    read: (ticket) => report(ticket, read(), 'failed'),
    write: (ticket, pair) => report(ticket, write(pair)),
    send: (ticket, pair) =>
      (flight = sendToken(refreshUrl, pair, REQUEST_TIMEOUT, async (response) => readAnswer(response, await response.text(), tokens))
        .then((answer) => dispatch('report', ticket, answer))),
    state: publish,
  };

  function publish() {
    const held = machine.held();
    const over = machine.over();
    const next: SessionState = held ? { status: 'signed_in', subject: held.subject } : { status: over ? 'signed_out' : 'unknown', ...over };
    state = next;
    listeners.forEach((listener) => queueMicrotask(() => listener(next)));
  }

  async function lock(ticket: number) {
    isToAsk = !tokens;
    // Without a lock the server's grace period covers most of the races.
    release = await takeLock(name, () => abort()).catch(() => () => {});
    dispatch('report', ticket, true);
  }

  /** Reports what the storage has done, or `failure` if it fails or is late. */
  function report(ticket: number, result: Promise<StorageRead | true>, failure?: 'failed') {
    const done = (value: StorageRead | true | undefined = failure) => {
      clearTimeout(late);
      dispatch('report', ticket, value);
    };
    const late = setTimeout(done, STORAGE_TIMEOUT);
    result.then(done, () => done());
  }

  /** The session that has ended here and not yet at the server. If the storage fails, the server is told at once or never. */
  async function note(what: 'getItem' | 'setItem' | 'removeItem', session?: string) {
    try {
      return JSON.parse((await items?.[what](logoutItem, session!)) ?? 'null');
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
      return true as const;
    }
    const ended = await store.read();
    try {
      await store.clear();
    } finally {
      if (!signingOut) tell?.(why);
      // In cookie mode the server is told which session: another may have begun, and its cookie is in the place of this one.
      else await endSession(tokens ? ended : `?session=${claimsOf((ended as Pair | null)?.access!)['sid'] ?? ''}`);
    }
    return true as const;
  }

  /**
   * A request with the refresh token; its result is `undefined` without a response. An answer that was given up may have set its cookie,
   * so that is reported later.
   */
  function sendToken<T>(url: string, pair: Partial<Pair>, timeout: number, read: (response: Response) => T | Promise<T>) {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const givenUp = new Promise<undefined>((resolve) => {
      const giveUp = () => {
        controller.abort();
        setTimeout(resolve, SETTLE);
      };
      timer = setTimeout(giveUp, timeout);
      if (url === refreshUrl) abort = giveUp;
    });
    const answer = send(url, {
      method: 'POST',
      ...tokens?.request(pair),
      credentials: 'include',
      // A captive portal or a login page is no answer, and must not get the token.
      redirect: 'error',
      // The page may be left after a logout.
      keepalive: url !== refreshUrl,
      signal: controller.signal,
    }).then(read);
    return Promise.race([givenUp, answer.catch(() => (controller.signal.aborted ? givenUp : undefined))]).finally(() => clearTimeout(timer));
  }

  /** @param session - The pair; in cookie mode the query that names it, as far as it is known. `null` if there is none. */
  async function endSession(session: any) {
    if (!session || !logoutUrl) return;
    await note('setItem', JSON.stringify(session));
    const url = logoutUrl + (tokens ? '' : session);
    revoked = !!(await sendToken(url, Object(session), LOGOUT_TIMEOUT, ({ ok, status }) => ok || status === 401));
    if (revoked) await note('removeItem');
  }

  function onNews(news: News) {
    const held = machine.held();
    if ('reason' in news) {
      abort();
      known = null;
      dispatch('news', news);
    } else if (held?.access !== news.access && !(held?.issuedAt! > news.issuedAt!)) {
      known = news;
      isToAsk = false;
      dispatch('news', news);
      onHeard();
    }
  }

  /** The reply to a caller. */
  function call(event: (caller: Caller) => Event<Caller>, signal?: AbortSignal | null) {
    let stop: () => void;
    return new Promise<string>((resolve, reject) => {
      const caller: Caller = (token, error) => (error ? reject(new SessionError(error)) : resolve(token!));
      stop = () => {
        reject(signal!.reason);
        dispatch('cancel', caller);
      };
      if (signal?.aborted) return stop();
      signal?.addEventListener('abort', stop);
      dispatch(...event(caller));
    }).finally(() => signal?.removeEventListener('abort', stop));
  }

  const accessToken = ({ rejected, signal }: AccessTokenOptions = {}) =>
    call((caller) => (rejected ? ['renew', caller, rejected] : ['acquire', caller]), signal);

  const clientFetch: typeof fetch = async (input, init) => {
    // A string and a URL have none of the members.
    const request = input as Partial<Request>;
    const given = <Name extends 'method' | 'headers' | 'signal'>(name: Name) => init?.[name] ?? request[name];
    const headers = new Headers(given('headers'));
    const signal = given('signal');
    const origin = originOf(absolute(request.url ?? String(input)));
    if (!origins.includes(origin) || headers.has(header)) return send(input, init);

    const attempt = (token: string, resource = input) => {
      headers.set(header, `Bearer ${token}`);
      return send(resource, { ...init, headers });
    };
    const token = await accessToken({ signal });
    // A request that has a body is consumed by sending it.
    const response = await attempt(token, request.clone?.());
    if (!rejections.includes(response.status)) return response;
    const next = accessToken({ rejected: token, signal });
    // The response to a redirected request is about another one, and this one may have been processed.
    if (!isRepeatable(init?.body) || (response.redirected && !/^(GET|HEAD)?$/i.test(given('method') ?? ''))) {
      next.catch(() => {});
      return response;
    }
    try {
      const another = await next;
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
      revoked = false;
      tell?.({ reason: 'elsewhere' });
      await call((caller) => ['signOut', caller]).catch(() => {});
      signingOut = undefined;
      return { revoked };
    })());

  const resume = () => {
    dispatch('online');
    telling = note('getItem').then(endSession);
  };
  // Absent in React Native.
  const { addEventListener: listen = () => {} } = globalThis as { addEventListener?: typeof addEventListener };
  listen('online', resume);
  listen('pagehide', () => {
    abort();
    release();
  });
  listen('pageshow', ({ persisted }) => {
    const held = machine.held();
    // Other tabs may have signed out meanwhile; the server knows.
    if (persisted && held) accessToken({ rejected: held.access }).catch(() => {});
  });
  resume();
  tell?.();
  // What the cookie is worth only the server knows.
  if (tokens) dispatch('start');

  return {
    fetch: clientFetch,
    accessToken,
    async signIn(body) {
      const pair = pairOf(body, tokens);
      if (!pair) throw new TypeError('no login body');
      await call((caller) => ['signIn', caller, pair]);
    },
    signOut,
    get state() {
      return state;
    },
    subscribe(listener) {
      listeners.push(listener);
      return () => void (listeners = listeners.filter((one) => one !== listener));
    },
  };
}

/** Whether a body can be sent twice: all that `fetch` takes but streams, and what Node.js takes besides. */
function isRepeatable(body: unknown): boolean {
  const { getReader, [Symbol.asyncIterator]: iterator } = Object(body);
  return !getReader && !iterator;
}
