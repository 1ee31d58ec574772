/**
 * The state machine of a client session, without I/O: it receives events with the current time and returns actions.
 *
 * It is the machine of the core (`regrant::client::machine`) without DPoP, and `tests/vectors/client` holds schedules of
 * the core that it must repeat. It guarantees: one refresh at a time; the storage is read before a refresh and again
 * before it is written; a token is used only after it is stored; only a final rejection by the server, or the user, signs
 * out; and every caller gets a reply.
 */

/** An access token and the refresh token that renews it. Times are in milliseconds, by the server's clock. */
export interface Pair {
  /** Empty where it is not known yet: a refresh cookie may exist. */
  access: string;
  /** In cookie mode the access token again: it tells one pair from another. */
  refresh: string;
  /** The user's id in the login response, for servers that expect it with a refresh token. */
  user?: string | number | undefined;
  /** The user that the access token names. */
  subject?: string | undefined;
  lifetime?: number | undefined;
  issuedAt?: number | undefined;
  expiresAt?: number | undefined;
  /** By how much the server's clock was ahead of the device's. */
  skew?: number | undefined;
}

/** Why the user must sign in. */
export interface SignedOut {
  /** `elsewhere`: in another tab. `reused`: the refresh token had two holders. `unreadable`: the storage has no tokens that can be read. */
  reason:
    | 'not_signed_in' | 'by_user' | 'elsewhere' | 'expired' | 'revoked' | 'reused' | 'unknown' | 'rejected' | 'unreadable';
  /** The error code of the server. */
  code?: string | undefined;
  /** Why the server revoked the session, such as `logout` or `displaced`. */
  revocation?: string | undefined;
}

/** A temporary failure: the tokens are kept. */
export interface Failure {
  /** `superseded`: a newer refresh token is in use. `access_rejected`: the server rejects access tokens that it has just issued. */
  reason: 'network' | 'server' | 'superseded' | 'storage' | 'access_rejected' | 'timeout';
  /** The HTTP status of the server's answer. */
  status?: number | undefined;
  /** The error code of the server. */
  code?: string | undefined;
}

/** A failure, and after how many milliseconds to retry. */
export interface Retry extends Failure {
  retryAfter: number;
}

/** The tokens of a granted refresh. `refresh` is absent if the presented token stays valid. */
export interface Grant extends Omit<Pair, 'refresh'> {
  refresh?: string | undefined;
}

/** What the refresh endpoint answered: the first of these that is present, and with a failure perhaps when to retry. */
export interface RefreshAnswer {
  granted?: Grant | undefined;
  /** The server's clock, from the header `Date`. */
  date?: number | undefined;
  superseded?: boolean;
  signedOut?: SignedOut | undefined;
  failure?: Failure;
  retryAfter?: number | undefined;
}

/** What was read from the storage: a pair, `null` for an empty storage, or `unreadable`. */
export type StorageRead = Pair | null | 'unreadable';

export type Event<Caller> =
  /** Reads the storage, so that the state is known. */
  | ['start']
  | ['acquire', Caller]
  /** A server rejected the token, and the caller wants another one. */
  | ['renew', Caller, rejected: string]
  | ['cancel', Caller]
  | ['signIn', Caller, Pair]
  | ['signOut', Caller]
  /**
   * The result of an action: of `read` a {@link StorageRead}, of `write` `true`, of `send` the answer. Without a result the action failed,
   * or its outcome is unknown.
   */
  | ['report', ticket: number, result: StorageRead | boolean | RefreshAnswer | undefined]
  | ['tick']
  /** Another tab stored a pair, or signed out. */
  | ['news', Pair | SignedOut]
  /** The network is back. */
  | ['online'];

/** What to do, in order. Every action with a ticket is reported back. */
export type Action<Caller> =
  /** With the token or the error; with neither a sign-in or sign-out is complete. */
  | ['reply', Caller, token?: string | undefined, error?: Retry | SignedOut]
  | ['lock', ticket: number]
  | ['unlock']
  | ['read', ticket: number]
  /** Without a pair: clear the storage. */
  | ['write', ticket: number, Pair?]
  | ['send', ticket: number, Pair]
  /** {@link Machine.held} or {@link Machine.over} changed. */
  | ['state'];

/** Timing, in milliseconds: `SessionSettings` of the core, with its defaults. */
const MIN_TTL = 30_000;
const WAIT_TIMEOUT = 30_000;
const INITIAL_BACKOFF = 500;
const MAX_BACKOFF = 60_000;
export const MAX_RETRY_AFTER = 300_000;
const FAILURE_THRESHOLD = 3;
const PERSIST_TIMEOUT = 5_000;
const RENEW_COOLDOWN = 5_000;

/** How urgently the held access token must be refreshed. */
const FRESH = 0;
/** In the background: callers receive the held token meanwhile. */
const EARLY = 1;
/** Before use, unless a refresh fails. */
const LATE = 2;
/** Before use: it has expired, or a server rejected it. */
const EXPIRED = 3;

/** A change to the storage that is in progress. */
interface Change<Caller> {
  caller?: Caller | undefined;
  failures: number;
  deadline: number;
  /** The new pair; without it the storage is cleared. */
  pair?: Pair | undefined;
  /** The refresh token that `pair` replaces; absent if the user signed in. */
  parent?: string | undefined;
}

export interface Machine<Caller> {
  /**
   * Processes an event and returns the actions to perform.
   *
   * @param monotonic - The time on a clock that never jumps but may stop while the device sleeps, in milliseconds.
   * @param wall - The time on a clock that may be wrong by any amount.
   */
  handle(monotonic: number, wall: number, event: Event<Caller>): Action<Caller>[];
  /** The monotonic time by which the machine needs a tick, unless another event arrives before. */
  wakeAt(): number;
  /** The held pair, if it has an access token. */
  held(): Pair | undefined;
  /** Why there is no pair; `undefined` before the storage was read. */
  over(): SignedOut | undefined;
}

/**
 * @param random - A random number from 0 to 1. It spreads load and is not used for security.
 */
export function createMachine<Caller>(random: () => number): Machine<Caller> {
  let now: number;
  let wallNow: number;
  let out: Action<Caller>[];

  /** Both absent: the storage has not been read yet. */
  let held: Pair | undefined;
  let over: SignedOut | undefined;
  /** The pair of an ended session, until the storage is known not to contain it. */
  let ended: (Pair & { why: SignedOut }) | undefined;
  /** The access token that a server rejected last, and when a rejected one was last renewed. */
  let rejected: string | undefined;
  let renewedAt = -Infinity;
  /** By how much the server's clock is ahead of the device's clocks; unknown before the first pair. */
  let aheadOfMonotonic: number | undefined;
  let aheadOfWall = 0;
  /** A random extension of the refresh margin, so that not all clients refresh at once. */
  let earlyRefresh = 0;

  /** Continues the operation in progress, of which there is one at a time, with the result of the last action. */
  let resume: ((result: never) => void) | undefined;
  let lastTicket = 0;
  let isLocked = false;
  let isRefreshing = false;
  let change: Change<Caller> | undefined;
  /** When to retry the failed change. */
  let changeAt: number | undefined;

  let waiters: { caller: Caller; deadline: number }[] = [];
  let commands: { caller: Caller; pair: Pair | undefined; requestedAt: number; wall: number; deadline: number }[] = [];
  let refreshInBackground = false;
  /** The consecutive failures since the last success, and the time of the next attempt. */
  let failures = 0;
  let lastFailure: Failure | undefined;
  let retryAt = 0;

  const upTo = (max: number) => Math.floor(max * random());
  const backoff = (count: number) => {
    const half = Math.min(INITIAL_BACKOFF * 2 ** (count - 1), MAX_BACKOFF) / 2;
    return half + upTo(half);
  };
  const retry = (reason: Failure['reason'], at = 0): Retry => ({ reason, retryAfter: Math.max(0, at - now) });
  const lastError = () => ({ ...retry('timeout', retryAt), ...lastFailure });
  const fail = (caller: Caller | undefined, error: Retry | SignedOut) => {
    if (caller) out.push(['reply', caller, undefined, error]);
  };
  const failWaiters = (error: Retry | SignedOut) => {
    for (const { caller } of waiters.splice(0)) fail(caller, error);
  };
  /** After several failures of a server that does not work, and if the next attempt is beyond their deadline. */
  const failHopeless = () => {
    if (failures >= FAILURE_THRESHOLD && now < retryAt && lastFailure!.reason !== 'superseded') failWaiters(lastError());
    waiters = waiters.filter(({ caller, deadline }) => retryAt < deadline || fail(caller, lastError()));
  };
  const giveWaiters = () => {
    if (held) for (const { caller } of waiters.splice(0)) out.push(['reply', caller, held.access]);
  };
  const forgetFailures = () => {
    failures = retryAt = 0;
    lastFailure = undefined;
  };

  // What is known about the tokens.

  /** A part of the held token's lifetime, at most `max`. */
  const lifetimeOver = (divisor: number, max: number) => Math.min(max, (held!.lifetime ?? Infinity) / divisor);
  const margin = () => lifetimeOver(3, MIN_TTL);
  const urgency = () => {
    if (!held?.access || rejected === held.access) return EXPIRED;
    // If the device's clocks disagree about the elapsed time, the longer one counts: renewing too early does no harm.
    const remaining = (held.expiresAt ?? Infinity) - Math.max(now + aheadOfMonotonic!, wallNow + aheadOfWall);
    if (remaining <= 0) return EXPIRED;
    if (remaining <= margin()) return LATE;
    return remaining <= margin() + earlyRefresh ? EARLY : FRESH;
  };
  const isSame = (one: Pair, other: Pair) => one.access === other.access && one.refresh === other.refresh;

  /** Notes when `pair` was received; `requestedAt` is no later than its issue, so that it never lives too long here. */
  const received = (pair: Pair, requestedAt: number, wall: number, date?: number) => {
    const server = pair.issuedAt ?? date;
    if (server !== undefined) {
      aheadOfMonotonic = server - requestedAt;
      pair.skew = aheadOfWall = server - wall;
    }
    const issued = server ?? wall;
    if (pair.lifetime !== undefined) pair.expiresAt ??= issued + pair.lifetime;
    // Without `iat`. The lifetime limits the margin: a longer margin would refresh the token at every use.
    else if (pair.expiresAt! > issued) pair.lifetime = pair.expiresAt! - issued;
    // It has expired on arrival, so a clock is wrong.
    else pair.expiresAt = undefined;
    return pair;
  };

  /** Holds `pair`, which is known to be stored. */
  const hold = (pair: Pair) => {
    if (aheadOfMonotonic === undefined) {
      aheadOfWall = pair.skew ?? 0;
      aheadOfMonotonic = wallNow + aheadOfWall - now;
    }
    if (!held || !isSame(held, pair)) {
      held = pair;
      earlyRefresh = upTo(margin() / 2);
    }
    over = undefined;
  };

  const lose = (why: SignedOut) => {
    held = undefined;
    over = why;
    refreshInBackground = false;
    failWaiters(why);
  };

  /** Ends the session in memory. The storage is empty, or is cleared next. */
  const signOut = (why: SignedOut) => {
    if (held) ended = { ...held, why };
    lose(why);
  };

  /** The storage contains no pair that can be used. */
  const noUsablePair = (found: 'unreadable' | null) => {
    forgetFailures();
    lose(found ? { reason: 'unreadable' } : held ? { reason: 'elsewhere' } : over ?? { reason: 'not_signed_in' });
  };

  // Operations.

  /** Starts an action, and continues with its result. */
  const act = <Result,>(kind: 'lock' | 'read' | 'write' | 'send', then: (result: Result) => void, pair?: Pair) => {
    resume = then;
    out.push([kind, ++lastTicket, pair] as Action<Caller>);
  };
  /** Reads the storage under the lock. A command that came meanwhile is first. */
  const read = (then: (found?: StorageRead) => void) => act('read', (found?: StorageRead) => runCommand() || then(found));
  /** Ends the operation in progress and releases the lock. */
  const finish = () => {
    change = changeAt = undefined;
    isRefreshing = false;
    if (isLocked) out.push(['unlock']);
    isLocked = false;
  };
  /** The held token is fresh. */
  const succeed = () => {
    forgetFailures();
    refreshInBackground = false;
    giveWaiters();
  };
  /** Holds `pair`, which another tab has stored, and returns whether it is fresh: then waiters receive it. */
  const adopt = (pair: Pair) => {
    hold(pair);
    const isFresh = urgency() === FRESH;
    if (isFresh) succeed();
    return isFresh;
  };
  /** The tokens are kept. Waiters receive the held token if it is still valid, or an error after several failures. */
  const attemptFailed = (failure: Failure, retryAfter = 0) => {
    failures++;
    lastFailure = failure;
    retryAt = now + Math.max(backoff(failures), Math.min(retryAfter, MAX_RETRY_AFTER));
    refreshInBackground = false;
    finish();
    if (urgency() < EXPIRED) giveWaiters();
    else failHopeless();
  };

  // Acquire: callers that want an access token.

  const acquire = (caller: Caller) => {
    const how = urgency();
    refreshInBackground ||= how === EARLY && now >= retryAt;
    // While it waits after a failure, a token that is late is better than none.
    if (how <= EARLY || (how === LATE && now < retryAt)) {
      out.push(['reply', caller, held!.access]);
      return;
    }
    waiters.push({ caller, deadline: now + WAIT_TIMEOUT });
    failHopeless();
  };

  const renew = (caller: Caller, token: string) => {
    if (held?.access === token) {
      const againAt = renewedAt + lifetimeOver(2, RENEW_COOLDOWN);
      if (now < againAt) return fail(caller, retry('access_rejected', againAt));
    }
    // A token that was replaced meanwhile need not be remembered.
    if (!held || held.access === token) rejected = token;
    acquire(caller);
  };

  // Refresh: lock, read the storage, ask the server.

  const takeLock = () =>
    act('lock', () => {
      isLocked = true;
      if (!runCommand()) read(onRead);
    });

  /** Usually the storage has a fresh token, and the lock is not needed. A command comes first; it takes the lock. */
  const readUnlocked = () => act('read', (found?: StorageRead) => void (commands.length || onRead(found)));

  /** The storage was read before a refresh, or again because the server rejected `sent`. */
  const onRead = (found: StorageRead | undefined, sent?: Pair, final?: SignedOut) => {
    if (found && found !== 'unreadable') {
      if (found.refresh === sent?.refresh) {
        if (final) endSession(final);
        else attemptFailed({ reason: 'superseded' });
        // An earlier attempt to clear the storage failed.
      } else if (found.refresh === ended?.refresh) {
        if (isLocked) endSession(ended.why);
        else noUsablePair(null);
      } else {
        if (adopt(found)) finish();
        // Otherwise the lock is next, if a caller waits.
        else if (isLocked) refresh(found, now, wallNow);
      }
    } else if (final) {
      signOut(final);
      finish();
    } else if (found === undefined) attemptFailed({ reason: 'storage' });
    else {
      noUsablePair(found);
      finish();
    }
  };

  const refresh = (pair: Pair, requestedAt: number, wall: number) => {
    refreshInBackground = false;
    isRefreshing = true;
    const onAnswer = (answer?: RefreshAnswer) => {
      isRefreshing = false;
      if (answer?.granted) {
        const { refresh: token = pair.refresh, ...granted } = answer.granted;
        persist(received({ ...granted, refresh: token, user: pair.user }, requestedAt, wall, answer.date), pair.refresh);
      } else if (answer?.superseded || answer?.signedOut) read((found) => onRead(found, pair, answer.signedOut));
      else attemptFailed(answer?.failure ?? { reason: 'network' }, answer?.retryAfter);
    };
    act('send', onAnswer, pair);
  };

  /** The server ended the session: clear the storage under the held lock. */
  const endSession = (why: SignedOut) => {
    signOut(why);
    persist();
  };

  // Persist: changes to the storage, made under the lock and retried while they fail.

  /** Starts the next sign-in or sign-out, if there is one. The lock is held, and no report is awaited. */
  const runCommand = () => {
    const command = commands.shift();
    if (command) persist(command.pair && received({ ...command.pair }, command.requestedAt, command.wall), undefined, command.caller);
    return command;
  };

  const persist = (pair?: Pair, parent?: string, caller?: Caller) => {
    isRefreshing = false;
    change = { pair, parent, caller, failures: 0, deadline: now + PERSIST_TIMEOUT };
    tryChange();
  };

  const tryChange = () => {
    changeAt = undefined;
    // Without a lock, another tab may have stored a later pair.
    if (change!.parent === undefined) write();
    else read(checked);
  };

  const write = () => act('write', (done?: boolean) => (done ? changed() : changeFailed()), change!.pair);

  /** The storage was read before writing the child of a refresh. */
  const checked = (found?: StorageRead) => {
    const { pair, parent } = change!;
    if (found === undefined) changeFailed();
    else if (!found) {
      signOut({ reason: 'elsewhere' });
      finish();
    } else if (found === 'unreadable') write();
    // An earlier attempt that was reported as failed has succeeded.
    else if (isSame(found, pair!)) changed();
    else if (found.refresh === parent) write();
    else {
      // Another tab stored a pair. The child was never used, so it can be dropped.
      adopt(found);
      finish();
    }
  };

  /** The change is stored: from here on its tokens may be used. */
  const changed = () => {
    const { caller, pair, parent } = change!;
    if (parent === undefined) ended = undefined;
    if (pair) {
      if (parent === undefined) renewedAt = -Infinity;
      else if (rejected) renewedAt = now;
      rejected = undefined;
      // If a sign-out is queued, the storage is cleared next and the user stays signed out.
      if (commands.every((command) => command.pair)) hold(pair);
    }
    if (caller) out.push(['reply', caller]);
    if (runCommand()) return;
    if (over) failWaiters(over);
    else succeed();
    finish();
  };

  /** The change failed, or its outcome is unknown: retry it until its deadline, without using its tokens. */
  const changeFailed = () => {
    if (commands.length) {
      failChange();
      runCommand();
    } else if (now >= change!.deadline) giveUp();
    else {
      changeAt = Math.min(now + backoff(++change!.failures), change!.deadline);
      if (urgency() < EXPIRED) giveWaiters();
    }
  };

  const failChange = () => {
    fail(change!.caller, retry('storage'));
    change!.caller = undefined;
  };

  const giveUp = () => {
    failChange();
    // The child was never used, so its parent may be presented again.
    if (change!.parent !== undefined) return attemptFailed({ reason: 'storage' });
    // The pair may have been stored nevertheless.
    if (change!.pair) held = over = undefined;
    finish();
  };

  /** A sign-in or sign-out runs before any refresh. */
  const submit = (caller: Caller, pair?: Pair) => {
    commands.push({ caller, pair, requestedAt: now, wall: wallNow, deadline: now + WAIT_TIMEOUT });
    if (changeAt !== undefined) failChange();
    // The answer would be for a session that is no longer wanted.
    if (changeAt !== undefined || isRefreshing) runCommand();
  };

  const onNews = (news: Pair | SignedOut) => {
    if (commands.length || change) return;
    ended = undefined;
    if ('reason' in news) lose(news);
    else {
      // The other tab has just measured by how much the device's clock is wrong.
      aheadOfMonotonic = undefined;
      adopt(news);
    }
  };

  const onTick = () => {
    if (changeAt !== undefined) {
      if (now >= change!.deadline) giveUp();
      else if (now >= changeAt) tryChange();
    }
    waiters = waiters.filter(({ caller, deadline }) => now < deadline || fail(caller, lastError()));
    if (change && now >= change.deadline) failChange();
    commands = commands.filter(({ caller, deadline }) => now < deadline || fail(caller, retry('timeout')));
  };

  /** Starts the next operation, if nothing is in progress. */
  const startNext = () => {
    if (resume || changeAt !== undefined) return;
    if (commands.length) takeLock();
    else if ((waiters.length || refreshInBackground) && now >= retryAt) {
      if (held) takeLock();
      else readUnlocked();
    }
  };

  /** What the app is told about: the user, or why there is none. */
  const state = () => (held?.access ? held.subject ?? '' : over);

  const on: { [Name in Event<Caller>[0]]: (first: never, second: never) => void } = {
    start: readUnlocked,
    acquire,
    renew,
    cancel: (one: Caller) => (waiters = waiters.filter(({ caller }) => caller !== one)),
    signIn: submit,
    signOut(caller: Caller) {
      signOut({ reason: 'by_user' });
      submit(caller);
    },
    // Reports with an old ticket are ignored.
    report(ticket: number, result) {
      const then = ticket === lastTicket && resume;
      if (!then) return;
      resume = undefined;
      then(result);
    },
    tick: onTick,
    news: onNews,
    online: forgetFailures,
  };

  return {
    handle(monotonic, wall, [kind, first, second]) {
      now = monotonic;
      wallNow = wall;
      out = [];
      const before = state();
      on[kind](first as never, second as never);
      startNext();
      // First, so that a caller that receives a reply sees the matching state.
      if (state() !== before) out.unshift(['state']);
      return out;
    },
    wakeAt() {
      const deadlines = [...waiters, ...commands].map(({ deadline }) => deadline);
      return Math.min(...deadlines, change?.caller ? change.deadline : Infinity, changeAt ?? (!resume && waiters.length ? retryAt : Infinity));
    },
    held: () => (held?.access ? held : undefined),
    over: () => over,
  };
}

/** The claims of a JWT, not verified: it is the client's own token. */
export function claimsOf(token: string): Record<string, unknown> {
  try {
    // UTF-8, also where there is no TextDecoder.
    return Object(JSON.parse(decodeURIComponent(escape(atob(token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/'))))));
  } catch {
    return {};
  }
}

/** A pair without its refresh token. The times are those in the token; without them its lifetime is `lifetime`. */
export function tokenTimes(access: string, lifetime?: number): Omit<Pair, 'refresh'> {
  const { iat, exp, userId, sub = userId } = claimsOf(access);
  const [issuedAt, expiresAt] = [iat, exp].map((seconds) => (seconds as number) * 1000 || undefined);
  return { access, subject: (sub as string | number | undefined)?.toString(), issuedAt, expiresAt, lifetime: issuedAt && expiresAt ? Math.max(0, expiresAt - issuedAt) : lifetime };
}
