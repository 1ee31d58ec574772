/** The auth object: the methods of the core, with results parsed and errors thrown. */
import { NativeAuth, bearer } from '../native.cjs';
import {
  checkArgument,
  checkOptions,
  detailsOf,
  encodeClaims,
  errorOptions,
  isAnything,
  isDate,
  isFlag,
  isFunction,
  isLifetime,
  isProof,
  isSubject,
  isText,
  isTextOrNull,
  isWellFormedText,
  refuseOptions,
  subjectText,
  type Checks,
} from './arguments.cjs';
import type { AuthError, Catalog, RevocationReason } from './catalog.cjs';
import type { AccessClaims, VerifiedAccess } from './claims.cjs';
import { encodeConfig, plainConfig, resolverOf, sharedOptions, type AuthConfig } from './config.cjs';
import type { ErrorCode } from './error-codes.cjs';
import type { JwkSet } from './jwk-set.cjs';
import { storeOf } from './custom-store.cjs';
import { parseEvent, parseRevoked, type Metric, type RevokedAccess, type StoreHealth } from './monitoring.cjs';
import type { KeysConfig, WebConfig } from './options.cjs';
import {
  parseIssued,
  parsePair,
  parseRenewed,
  parseSessions,
  type AppClaims,
  type ClaimsFunction,
  type ClientDetails,
  type IssueOptions,
  type IssuedAccessToken,
  type LoginOptions,
  type LogoutEverywhereOptions,
  type LogoutOptions,
  type RefreshIdentity,
  type RefreshOptions,
  type Renewed,
  type RequestProof,
  type SessionInfo,
  type SubjectId,
  type SweepOptions,
  type SweepReport,
  type TokenPair,
  type UpdateOptions,
} from './session.cjs';
import { TokenCache, parseTuple } from './token-cache.cjs';
import { Web } from './web.cjs';

/**
 * Checks the configuration and makes an auth object. Opens the file of a file store, the default, and
 * creates it where it is missing. Waits for no server: the store is first contacted in the background, for the revocation
 * feed. If it is unreachable, that is logged, and calls that need it fail.
 *
 * ```ts
 * const auth = createAuth({ secret: process.env.SECRET_KEY, store: process.env.REDIS_URL });
 * ```
 *
 * @throws {@link AuthError} `ERR_CONFIG_INVALID`; its message and `field` name the field.
 */
export function createAuth(config: AuthConfig): Auth {
  const { migrate, onEvent, store: where, ...others } = plainConfig(config);
  const { catalog, clock, log, core } = sharedOptions(others, [...NativeAuth.optionNames(), 'onEvent']);
  refuseOptions(arguments[1], catalog);
  if (onEvent !== undefined && typeof onEvent !== 'function') {
    throw catalog.configInvalid('onEvent', 'must be a function');
  }
  const legacy = resolverOf(migrate, catalog);
  const store = storeOf(where, catalog);
  const listeners: RevocationListeners = new Set();
  const native = NativeAuth.create(
    encodeConfig({ ...core, store: store.url, ...(legacy && { migrate: legacy.options }) }, catalog),
    clock,
    log,
    onEvent && ((event) => onEvent(parseEvent(event))),
    legacy?.resolve,
    store.call,
    (text) => {
      const revoked = parseRevoked(text);
      for (const listener of [...listeners]) {
        try {
          listener(revoked);
        } catch (thrown) {
          // The others are to know of it all the same.
          process.nextTick(() => {
            throw thrown;
          });
        }
      }
    },
  );
  if (native instanceof NativeAuth) return new Auth(native, catalog, config.access?.numericSubject === true, listeners);
  throw catalog.errorOf(native);
}

/**
 * What happens to a valid access token while this process is too far behind the revocation feed:
 * `open` accepts it, `ask` checks the store, `closed` rejects it with `ERR_STORE_UNAVAILABLE`.
 */
export type WhenStale = 'open' | 'ask' | 'closed';

const clientOptions: Checks<ClientDetails> = { address: isTextOrNull, userAgent: isTextOrNull };
const loginOptions: Checks<LoginOptions> = {
  device: isText,
  claims: isAnything,
  idleTtl: isLifetime,
  absoluteTtl: isLifetime,
  persistent: isFlag,
  proof: isProof,
  ...clientOptions,
};
const issueOptions: Checks<IssueOptions> = { claims: isAnything };
const refreshOptions: Checks<RefreshOptions> = {
  subject: isSubject,
  rotate: isFlag,
  claims: isAnything,
  proof: isProof,
  ...clientOptions,
};
const updateOptions: Checks<UpdateOptions> = { claims: isAnything, atOnce: isFlag, ...clientOptions };
const logoutOptions: Checks<LogoutOptions> = { proof: isProof, ...clientOptions };
const everywhereOptions: Checks<LogoutEverywhereOptions> = {
  exceptSession: isWellFormedText,
  before: isDate,
  reason: isText,
  ...clientOptions,
};
const sessionsOptions: Checks<{ current?: string | undefined }> = { current: isWellFormedText };
const sweepOptions: Checks<SweepOptions> = { dryRun: isFlag, removeDead: isFlag, onProgress: isFunction };

/** What `regrant/http` needs of an auth object. */
export interface AuthInternals {
  readonly native: NativeAuth;
  readonly catalog: Catalog;
  readonly web: Web;
  /** A user's id in the type of the claim that is issued. */
  readonly idOf: (subject: string) => SubjectId;
}

/** Not a method, so that it is not part of the package's interface. */
export let internalsOf: (auth: Auth) => AuthInternals;

type RevocationListeners = Set<(revoked: RevokedAccess) => void>;

/** Issues, verifies, refreshes and revokes. Made by `createAuth`. */
export class Auth {
  readonly #native: NativeAuth;
  readonly #catalog: Catalog;
  readonly #tokens: TokenCache;
  readonly #headers: TokenCache;
  readonly #numericSubject: boolean;
  readonly #internals: AuthInternals;
  readonly #listeners: RevocationListeners;
  /** Whether sessions may be bound to keys of clients: whether the configuration has `dpop`. */
  readonly checksProofs: boolean;

  /** @internal */
  constructor(native: NativeAuth, catalog: Catalog, numericSubject: boolean, listeners: RevocationListeners) {
    this.#listeners = listeners;
    this.#native = native;
    this.#numericSubject = numericSubject;
    this.#catalog = catalog;
    this.#tokens = new TokenCache(native.tokenVerifier(), native.cacheSlots, catalog);
    this.#headers = new TokenCache(native.headerVerifier(), native.cacheSlots, catalog);
    this.checksProofs = native.checksProofs;
    this.#internals = { native, catalog, web: new Web(native.web), idOf: (subject) => this.#id(subject) };
  }

  /**
   * This auth object with another option `web`, for clients of another kind: native apps, whose refresh tokens travel in
   * JSON bodies, beside pages with cookies.
   *
   * ```ts
   * app.use('/auth', authRouter(auth));
   * app.use('/mobile', authRouter(auth.withWeb({ refreshCookie: false })));
   * ```
   *
   * @param web - In place of the whole `web` of `createAuth`.
   * @throws {@link AuthError} `ERR_CONFIG_INVALID`
   */
  withWeb(web: WebConfig): Auth {
    refuseOptions(arguments[1], this.#catalog);
    const native = this.#native.withWeb(encodeConfig({ web: web ?? null }, this.#catalog));
    if (native instanceof NativeAuth) return new Auth(native, this.#catalog, this.#numericSubject, this.#listeners);
    throw this.#catalog.errorOf(native);
  }

  /**
   * Verifies an access token: in-process, no I/O.
   *
   * @typeParam T - The app's own claims.
   * @returns The claims, as signed.
   * @throws {@link AuthError} `ERR_TOKEN_EXPIRED` (refresh and repeat), `ERR_TOKEN_MISSING`,
   * `ERR_ACCESS_REVOKED` and the other codes with the advice `reject`.
   */
  verify<T extends object = object>(token: string | undefined): AccessClaims & T {
    if (arguments.length > 1) refuseOptions(arguments[1], this.#catalog);
    return this.#tokens.claims(this.#present(token)) as AccessClaims & T;
  }

  /**
   * As {@link Auth.verify}, with the subject and the session by name. Claims are parsed when they are first read.
   *
   * @throws {@link AuthError} as {@link Auth.verify}.
   */
  verifyAccess<T extends object = object>(token: string | undefined): VerifiedAccess<T> {
    if (arguments.length > 1) refuseOptions(arguments[1], this.#catalog);
    return this.#tokens.access(this.#present(token)) as VerifiedAccess<T>;
  }

  /**
   * Verifies the access token in the value of an `Authorization` header (RFC 6750 §2.1).
   *
   * @throws {@link AuthError} `ERR_TOKEN_MISSING` without a Bearer token, else as
   * {@link Auth.verify}.
   */
  verifyBearer<T extends object = object>(header: string | undefined): VerifiedAccess<T> {
    if (arguments.length > 1) refuseOptions(arguments[1], this.#catalog);
    return this.#headers.access(this.#present(header)) as VerifiedAccess<T>;
  }

  /**
   * As {@link Auth.verifyAccess}, on the thread pool: for servers that must not block for the tens
   * of microseconds that a signature by RSA or ECDSA takes. The round trip takes about as long, so a
   * single call is slower; for HS256 it never pays.
   *
   * @throws {@link AuthError} as {@link Auth.verify}.
   */
  async verifyAccessAsync<T extends object = object>(token: string | undefined): Promise<VerifiedAccess<T>> {
    refuseOptions(arguments[1], this.#catalog);
    const text = this.#catalog.textOf(await this.#native.verifyOnThreadPool(this.#present(token)));
    return parseTuple(text) as VerifiedAccess<T>;
  }

  /**
   * As {@link Auth.verifyAccess}, for a DPoP-bound token: also checks that the proof is signed by the key of the
   * token (RFC 9449 §7.1). Each proof is accepted once.
   *
   * @throws {@link AuthError} as {@link Auth.verify}; `ERR_DPOP_PROOF_INVALID`,
   * `ERR_DPOP_PROOF_REPLAYED`, `ERR_DPOP_NONCE_REQUIRED`; `ERR_CONFIG_INVALID` without `dpop`.
   */
  verifyWithProof<T extends object = object>(token: string | undefined, proof: RequestProof): VerifiedAccess<T> {
    refuseOptions(arguments[2], this.#catalog);
    checkArgument('proof', proof, isProof, this.#catalog);
    return parseTuple(this.#catalog.textOf(this.#native.verifyWithProof(this.#present(token), proof))) as VerifiedAccess<T>;
  }

  /**
   * Checks the proof of a login request without recording its use, so that a request whose proof is rejected for its
   * time or nonce can be retried before the app has changed anything. Accepts `undefined`.
   *
   * @throws {@link AuthError} `ERR_DPOP_PROOF_INVALID`, `ERR_DPOP_NONCE_REQUIRED`; `ERR_CONFIG_INVALID` without `dpop`.
   */
  checkProof(proof: RequestProof | undefined): void {
    refuseOptions(arguments[1], this.#catalog);
    if (proof === undefined) return;
    checkArgument('proof', proof, isProof, this.#catalog);
    this.#catalog.textOf(this.#native.checkProof(proof));
  }

  /** The nonce for the header `DPoP-Nonce` of answers (RFC 9449 §8.2), with `dpop.nonce`. */
  get proofNonce(): string | null {
    return this.#native.proofNonce ?? null;
  }

  /**
   * As {@link Auth.verifyAccess}, for routes that must know of logouts in other processes. If the
   * revocation feed was not read for longer than `revocation.maxStaleness`, `whenStale` decides.
   *
   * @throws {@link AuthError} as {@link Auth.verify}; `ERR_STORE_UNAVAILABLE`: retry; `ERR_ARGUMENT_INVALID`.
   */
  async verifyChecked<T extends object = object>(
    token: string | undefined,
    whenStale: WhenStale,
    proof?: RequestProof,
  ): Promise<VerifiedAccess<T>> {
    refuseOptions(arguments[3], this.#catalog);
    checkArgument('whenStale', whenStale, isText, this.#catalog);
    if (proof !== undefined) checkArgument('proof', proof, isProof, this.#catalog);
    const text = this.#catalog.textOf(await this.#native.verifyChecked(this.#present(token), whenStale, proof));
    return parseTuple(text) as VerifiedAccess<T>;
  }

  /**
   * The public keys of access tokens as a JWK Set (RFC 7517 §5), for services that verify these
   * tokens; `jwksHandler` of `regrant/express` publishes it. It contains no secrets, so it is empty
   * with `secret` alone.
   */
  jwks(): JwkSet {
    return JSON.parse(this.#native.jwks()) as JwkSet;
  }

  /**
   * Replaces all keys of this auth object and of those that `withWeb` made of it, in this process only; not `migrate.secret`. Tokens signed by a key that is not in `keys` are rejected
   * from now on; `docs/key-rotation.md` describes the steps in which no valid token is rejected.
   *
   * @throws {@link AuthError} `ERR_CONFIG_INVALID`, with its `field`; the keys are then unchanged.
   */
  setKeys(keys: KeysConfig): void {
    refuseOptions(arguments[1], this.#catalog);
    this.#catalog.textOf(this.#native.setKeys(encodeConfig(keys, this.#catalog)));
  }

  /**
   * How far this process is behind the revocation feed, in milliseconds: 0 if no other process can
   * revoke, `null` until the feed is first read.
   */
  get feedLag(): number | null {
    return this.#native.feedLag();
  }

  /**
   * The metrics of this process in the text format of Prometheus, for a route `/metrics` with the
   * content type `text/plain; version=0.0.4`. Counters include all auth objects and worker threads;
   * gauges are those of this object.
   */
  metrics(): string {
    return this.#native.metrics();
  }

  /** As {@link Auth.metrics}, as objects: for prom-client, OpenTelemetry and the like. */
  metricsSnapshot(): Metric[] {
    return JSON.parse(this.#catalog.textOf(this.#native.metricsSnapshot())) as Metric[];
  }

  /**
   * Calls `listener` when access tokens are revoked, by this process or by another one: for connections that stay open
   * longer than one request. What the listener throws is an uncaught exception.
   *
   * @returns A function that ends the subscription.
   */
  onRevoked(listener: (revoked: RevokedAccess) => void): () => void {
    refuseOptions(arguments[1], this.#catalog);
    checkArgument('listener', listener, isFunction, this.#catalog);
    // One function may be subscribed twice.
    const subscribed = (revoked: RevokedAccess) => listener(revoked);
    this.#listeners.add(subscribed);
    return () => void this.#listeners.delete(subscribed);
  }

  /**
   * The health of the store, with warnings for operators. An unreachable store is reported, not
   * thrown, so this suits a load balancer's health check.
   */
  async health(): Promise<StoreHealth> {
    return JSON.parse(this.#catalog.textOf(await this.#native.health())) as StoreHealth;
  }

  /**
   * Creates a session and issues its first pair of tokens. The app has checked the password.
   *
   * @throws {@link AuthError} `ERR_ARGUMENT_INVALID` for a subject or claims that cannot be issued, and for an unknown
   * option; `ERR_STORE_UNAVAILABLE`: retry.
   */
  async login(subject: SubjectId, options: LoginOptions = {}): Promise<TokenPair> {
    checkOptions(options, loginOptions, this.#catalog);
    const user = subjectText(subject, this.#catalog);
    const { device, claims, idleTtl, absoluteTtl, persistent, proof } = options;
    const outcome = await this.#native.login(user, {
      device,
      claims: this.#claims(claims),
      idleTtl: idleTtl === undefined ? undefined : JSON.stringify(idleTtl),
      absoluteTtl: absoluteTtl === undefined ? undefined : JSON.stringify(absoluteTtl),
      persistent,
      proof,
      client: detailsOf(options),
    });
    return parsePair(this.#catalog.textOf(outcome));
  }

  /**
   * Issues an access token without a session, for a service that calls another one in its own name. Nothing refreshes it;
   * `logoutEverywhere` of its subject revokes it.
   *
   * @throws {@link AuthError} `ERR_ARGUMENT_INVALID` for a subject or claims that cannot be issued, and for an unknown option.
   */
  issueAccessToken(subject: SubjectId, options: IssueOptions = {}): IssuedAccessToken {
    checkOptions(options, issueOptions, this.#catalog);
    const outcome = this.#native.issueAccessToken(subjectText(subject, this.#catalog), this.#claims(options.claims));
    return parseIssued(this.#catalog.textOf(outcome));
  }

  /**
   * Exchanges a refresh token for a new access token and, with rotation, the next refresh token.
   * A repeated call within the grace period returns the same refresh token, and so does one within
   * `refresh.unusedGrace` while nobody has used the new pair. A session that has rotated once always rotates.
   *
   * @throws {@link AuthError}
   * - `sign_in`: `ERR_REFRESH_EXPIRED`, `ERR_SESSION_UNKNOWN`, `ERR_SESSION_REVOKED`,
   *   `ERR_REFRESH_REUSED`, `ERR_TOKEN_MISSING`.
   * - `retry`, keep the token: `ERR_STORE_UNAVAILABLE`, `ERR_REFRESH_SUPERSEDED`,
   *   `ERR_TOO_MANY_ATTEMPTS` (not before `retryAfter` seconds).
   * - `reject`: the token is not a refresh token of this server; `ERR_SUBJECT_MISMATCH`.
   * - `fix`: `ERR_ARGUMENT_INVALID` for claims that cannot be issued, and for an unknown option.
   */
  async refresh(refreshToken: string | undefined, options: RefreshOptions = {}): Promise<Renewed> {
    checkOptions(options, refreshOptions, this.#catalog);
    const token = this.#present(refreshToken);
    const { subject, rotate, claims, proof } = options;
    const expected = subject === undefined ? undefined : subjectText(subject, this.#catalog);
    let text = typeof claims === 'function' ? undefined : this.#claims(claims);
    let identityError: AuthError | undefined;
    if (typeof claims === 'function') {
      const identity = await this.#native.refreshIdentity(token);
      if (typeof identity === 'string') {
        text = encodeClaims(await this.#newClaims(claims, identity), this.#catalog);
      } else {
        // The refresh refuses the token itself, and counts that failure.
        identityError = this.#catalog.errorOf(identity);
        if (identityError.advice === 'retry') throw identityError;
      }
    }
    const outcome = await this.#native.refresh(token, { expected, rotate, claims: text, proof, client: detailsOf(options) });
    if (identityError && typeof outcome === 'string') throw identityError;
    return parseRenewed(this.#catalog.textOf(outcome), token);
  }

  /**
   * Revokes the session of a refresh token, expired or not. A session that is bound to a key needs the proof of the
   * request (DPoP), so that nobody who stole its token can revoke it.
   *
   * @returns Whether it was live.
   * @throws {@link AuthError} `reject` if the token is not a refresh token of this server, or for its proof;
   * `ERR_TOKEN_MISSING`; `ERR_STORE_UNAVAILABLE`: in force in this process, which repeats it until the store has it.
   */
  async logout(refreshToken: string | undefined, options: LogoutOptions = {}): Promise<boolean> {
    checkOptions(options, logoutOptions, this.#catalog);
    const { proof } = options;
    const outcome = await this.#native.logout(this.#present(refreshToken), proof, detailsOf(options));
    return JSON.parse(this.#catalog.textOf(outcome)) as boolean;
  }

  /**
   * Replaces the app's own claims of a session, such as a role, without a token of it. Its access tokens have them from
   * its next refresh on, until a refresh with `claims` or another update replaces them. With `atOnce`, the access tokens
   * of before are rejected with `ERR_TOKEN_EXPIRED` in every process: their clients refresh, those of the user's other
   * sessions too, and get the new claims.
   *
   * ```ts
   * await auth.updateSession(userId, sessionId, { claims: { role: 'reader' }, atOnce: true });
   * ```
   *
   * @returns Whether the session is live; otherwise nothing changes.
   * @throws {@link AuthError} `ERR_ARGUMENT_INVALID` for what is no user id or session id, and for claims that cannot be
   * issued or exceed 2048 bytes of JSON; `ERR_STORE_UNAVAILABLE`: call again.
   */
  async updateSession(subject: SubjectId, sessionId: string, options: UpdateOptions): Promise<boolean> {
    checkOptions(options, updateOptions, this.#catalog);
    checkArgument('sessionId', sessionId, isWellFormedText, this.#catalog);
    const user = subjectText(subject, this.#catalog);
    const claims = encodeClaims(options.claims, this.#catalog);
    const client = detailsOf(options);
    const outcome = await this.#native.updateSession(user, sessionId, claims, options.atOnce === true, client);
    return JSON.parse(this.#catalog.textOf(outcome)) as boolean;
  }

  /**
   * Revokes one session of a user. This process rejects its access tokens at once.
   *
   * @param reason - The reason reported to the client of that session; default `'logout'`.
   * @param client - Where the request came from, for the audit event: `clientOf(request)`.
   * @returns Whether it was live.
   * @throws {@link AuthError} `ERR_ARGUMENT_INVALID` for what is no user id, session id or reason;
   * `ERR_STORE_UNAVAILABLE`: in force in this process, which repeats it until the store has it.
   */
  async revokeSession(
    subject: SubjectId,
    sessionId: string,
    reason: RevocationReason = 'logout',
    client: ClientDetails = {},
  ): Promise<boolean> {
    refuseOptions(arguments[4], this.#catalog);
    checkOptions(client, clientOptions, this.#catalog);
    checkArgument('sessionId', sessionId, isWellFormedText, this.#catalog);
    checkArgument('reason', reason, isText, this.#catalog);
    const user = subjectText(subject, this.#catalog);
    const outcome = await this.#native.revokeSession(user, sessionId, reason, detailsOf(client));
    return JSON.parse(this.#catalog.textOf(outcome)) as boolean;
  }

  /**
   * Revokes all sessions of a user, or those that the options select: all but the current one
   * (`exceptSession`), or those created before an instant (`before`). Access tokens without a
   * session, issued by a legacy app, are rejected too, even with `exceptSession`.
   *
   * @returns How many were live.
   * @throws {@link AuthError} `ERR_ARGUMENT_INVALID` for what is no user id, session id, date or reason;
   * `ERR_STORE_UNAVAILABLE`: in force in this process, which repeats it until the store has it.
   */
  async logoutEverywhere(subject: SubjectId, options: LogoutEverywhereOptions = {}): Promise<number> {
    checkOptions(options, everywhereOptions, this.#catalog);
    const user = subjectText(subject, this.#catalog);
    const { exceptSession, before, reason } = options;
    const client = detailsOf(options);
    const outcome = await this.#native.logoutEverywhere(user, exceptSession, before?.getTime(), reason, client);
    return JSON.parse(this.#catalog.textOf(outcome)) as number;
  }

  /**
   * The sessions of a user: live ones first, each group by last use, newest first. Expired
   * sessions are omitted.
   *
   * @param options - `current`: the session to mark as the current one.
   * @throws {@link AuthError} `ERR_ARGUMENT_INVALID`; `ERR_STORE_UNAVAILABLE`: retry.
   */
  async sessions(
    subject: SubjectId,
    options: { current?: string | undefined } = {},
  ): Promise<SessionInfo[]> {
    checkOptions(options, sessionsOptions, this.#catalog);
    const user = subjectText(subject, this.#catalog);
    return parseSessions(this.#catalog.textOf(await this.#native.sessions(user, options.current)));
  }

  /**
   * Migrates all refresh tokens in the Redis of the legacy app and removes their keys. It can be
   * interrupted and repeated at any time, while users refresh and log out. Stop the processes of the
   * legacy app first: they no longer find the sessions.
   *
   * @throws {@link AuthError} `ERR_CONFIG_INVALID` without `migrate`; `ERR_STORE_UNAVAILABLE`: retry.
   */
  async sweepLegacyTokens(options: SweepOptions = {}): Promise<SweepReport> {
    checkOptions(options, sweepOptions, this.#catalog);
    const { dryRun = false, removeDead = false, onProgress } = options;
    const progress = onProgress && ((text: string): void => onProgress(JSON.parse(text) as SweepReport));
    const outcome = await this.#native.sweepLegacyTokens(dryRun, removeDead, progress);
    return JSON.parse(this.#catalog.textOf(outcome)) as SweepReport;
  }

  /**
   * The token in the value of an `Authorization` header, or of a header of the same form, not
   * verified (RFC 6750 §2.1).
   *
   * @throws {@link AuthError} `ERR_TOKEN_MISSING` without a Bearer token, `ERR_TOKEN_MALFORMED`.
   */
  bearerToken(header: string | undefined): string {
    refuseOptions(arguments[1], this.#catalog);
    return this.#catalog.textOf(bearer(typeof header === 'string' ? header : ''));
  }

  /** An error in the language of this auth object, for rejections by the app itself. */
  error(code: ErrorCode, options: { detail?: string; cause?: unknown } = {}): AuthError {
    checkOptions(options, errorOptions, this.#catalog);
    return this.#catalog.error(code, options);
  }

  static {
    internalsOf = (auth) => auth.#internals;
  }

  #present(token: unknown): string {
    if (typeof token === 'string' && token !== '') return token;
    throw this.#catalog.error('ERR_TOKEN_MISSING');
  }

  /** A user's id in the type of the claim that is issued: `Subject::as_integer` of the core. */
  #id(subject: string): SubjectId {
    const number = Number(subject);
    const isNumber = Number.isSafeInteger(number) && String(number) === subject;
    return this.#numericSubject && isNumber ? number : subject;
  }

  #newClaims(claims: ClaimsFunction, identity: string): unknown {
    const { subject, ...session } = JSON.parse(identity) as RefreshIdentity;
    return claims(this.#id(subject), { ...session, request: undefined });
  }

  #claims(claims: AppClaims | undefined): string | undefined {
    return claims === undefined ? undefined : encodeClaims(claims, this.#catalog);
  }
}
