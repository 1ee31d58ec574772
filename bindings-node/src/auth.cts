/** The auth object: the methods of the core, with results parsed and failures thrown. */
import { NativeAuth, bearer, type NativeResult } from '../native.cjs';
import type { AuthError, RevocationReason } from './auth-error.cjs';
import type { Catalog } from './catalog.cjs';
import type { KeysConfig } from './config.cjs';
import { encodeConfig } from './encode-config.cjs';
import type { JwkSet } from './jwk-set.cjs';
import type { AccessClaims, VerifiedAccess } from './claims.cjs';
import type { ErrorCode } from './error-codes.cjs';
import type { Metric } from './metrics.cjs';
import type { SweepOptions, SweepReport } from './migrate.cjs';
import type { RequestProof } from './proof.cjs';
import { parseSessions, type SessionInfo } from './session-info.cjs';
import type { StoreHealth } from './store-health.cjs';
import { TokenCache, parseTuple } from './token-cache.cjs';
import { parsePair, parseRenewed, type Renewed, type TokenPair } from './tokens.cjs';

/** A user's id: text of 1 to 255 bytes, or a whole number, which becomes its digits. */
export type SubjectId = string | number;

/** The app's own claims, by name: whatever JSON can hold. */
export type AppClaims = Readonly<Record<string, unknown>>;

/**
 * What becomes of a good access token while it cannot be known whether another process revoked
 * it: `open` accepts it, `ask` asks the store, `closed` refuses it with `ERR_STORE_UNAVAILABLE`.
 */
export type WhenStale = 'open' | 'ask' | 'closed';

/** What a login may say beside the user. */
export interface LoginOptions {
  /** The name that people will know the device by; cut to 64 bytes. */
  device?: string | undefined;
  /** The app's own claims for the access token. */
  claims?: AppClaims | undefined;
  /** Binds the session to the key that signed this proof (RFC 9449 §5); with `dpop` alone. */
  proof?: RequestProof | undefined;
}

/** The app's own claims for a new access token, or a function that looks them up. */
export type ClaimsSource = AppClaims | ((subject: string) => AppClaims | Promise<AppClaims>);

/** Which sessions of a user `logoutEverywhere` ends; by default all. */
export interface LogoutEverywhereOptions {
  /** Not this session: "everywhere but here". Its access tokens go on working. */
  exceptSession?: string | undefined;
  /**
   * Only sessions that began before this instant, and access tokens without a session that were
   * issued before it: those from before a change of password, whoever asks when.
   */
  before?: Date | undefined;
  /** What the clients of these sessions are told; default `'logout_everywhere'`. */
  reason?: RevocationReason | undefined;
}

/** What a refresh may say beside the token. */
export interface RefreshOptions {
  /** The user that the client says it is. It is compared, never believed. */
  subject?: SubjectId | undefined;
  /** Asks for a next refresh token, or for none, whatever the configuration says. */
  rotate?: boolean | undefined;
  /** The app's own claims for the access token. A refresh does not carry the old ones over. */
  claims?: ClaimsSource | undefined;
  /** The proof that came with the request, for a session that is bound to a key. */
  proof?: RequestProof | undefined;
  /**
   * The address of the client, for which what is no refresh token of this server counts as a failure
   * (`refresh.limiter`). Behind a proxy it is what that one says, if it is to be trusted.
   */
  address?: string | undefined;
}

/** Issues, verifies, refreshes and revokes. Made by `createAuth`. */
export class Auth {
  readonly #native: NativeAuth;
  readonly #catalog: Catalog;
  readonly #tokens: TokenCache;
  readonly #headers: TokenCache;
  /** Whether sessions may be bound to keys of clients: whether the configuration has `dpop`. */
  readonly checksProofs: boolean;

  /** @internal */
  constructor(native: NativeAuth, catalog: Catalog) {
    this.#native = native;
    this.#catalog = catalog;
    this.#tokens = new TokenCache(native.tokenVerifier(), native.cacheSlots, catalog);
    this.#headers = new TokenCache(native.headerVerifier(), native.cacheSlots, catalog);
    this.checksProofs = native.checksProofs;
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
    return this.#tokens.claims(this.#present(token)) as AccessClaims & T;
  }

  /**
   * As {@link Auth.verify}, with the subject and the session by name. Claims are parsed when they are first read.
   *
   * @throws {@link AuthError} as {@link Auth.verify}.
   */
  verifyAccess<T extends object = object>(token: string | undefined): VerifiedAccess<T> {
    return this.#tokens.access(this.#present(token)) as VerifiedAccess<T>;
  }

  /**
   * Verifies the access token in the value of an `Authorization` header (RFC 6750 §2.1).
   *
   * @throws {@link AuthError} `ERR_TOKEN_MISSING` without a Bearer token, else as
   * {@link Auth.verify}.
   */
  verifyBearer<T extends object = object>(header: string | undefined): VerifiedAccess<T> {
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
    const text = this.#text(await this.#native.verifyOnThreadPool(this.#present(token)));
    return parseTuple(text) as VerifiedAccess<T>;
  }

  /**
   * As {@link Auth.verifyAccess}, and that the token is bound to the key that the proof is by
   * (RFC 9449 §7.1). A proof is good once.
   *
   * @throws {@link AuthError} as {@link Auth.verify}; `ERR_DPOP_PROOF_INVALID`,
   * `ERR_DPOP_PROOF_REPLAYED`, `ERR_DPOP_NONCE_REQUIRED`; `ERR_CONFIG_INVALID` without `dpop`.
   */
  verifyWithProof<T extends object = object>(token: string | undefined, proof: RequestProof): VerifiedAccess<T> {
    return parseTuple(this.#text(this.#native.verifyWithProof(this.#present(token), proof))) as VerifiedAccess<T>;
  }

  /**
   * Checks the proof of a request that is to become a login, and does not use it up: before anything is done that a
   * client whose proof was refused for its time or its nonce, and who asks again, must not find done already. Nothing
   * to check is right.
   *
   * @throws {@link AuthError} `ERR_DPOP_PROOF_INVALID`, `ERR_DPOP_NONCE_REQUIRED`; `ERR_CONFIG_INVALID` without `dpop`.
   */
  checkProof(proof: RequestProof | undefined): void {
    if (proof !== undefined) this.#text(this.#native.checkProof(proof));
  }

  /** The nonce for the header `DPoP-Nonce` of answers (RFC 9449 §8.2), with `dpop.nonce`. */
  get proofNonce(): string | null {
    return this.#native.proofNonce ?? null;
  }

  /**
   * As {@link Auth.verifyAccess}, for routes that must know of logouts in other processes. A
   * process follows a feed of them and mostly knows; while it was not read for longer than
   * `revocation.maxStaleness`, `whenStale` decides.
   *
   * @throws {@link AuthError} as {@link Auth.verify}; `ERR_STORE_UNAVAILABLE`: try again.
   */
  async verifyChecked<T extends object = object>(
    token: string | undefined,
    whenStale: WhenStale,
    proof?: RequestProof,
  ): Promise<VerifiedAccess<T>> {
    const text = this.#text(await this.#native.verifyChecked(this.#present(token), whenStale, proof));
    return parseTuple(text) as VerifiedAccess<T>;
  }

  /**
   * The public keys of access tokens as a JWK Set (RFC 7517 §5), for services that verify what
   * this one issues: `jwksHandler` of `regrant/express` publishes it. Secrets are not among them,
   * so of a configuration with `secret` alone it is empty.
   */
  jwks(): JwkSet {
    return JSON.parse(this.#native.jwks()) as JwkSet;
  }

  /**
   * Exchanges all keys of this process: from here on tokens are signed and verified with these,
   * and what an older key signed is refused where that is not among them. In which steps no token
   * is refused, `docs/key-rotation.md` says.
   *
   * @throws {@link AuthError} `ERR_CONFIG_INVALID`, with its `field`; then all stays as it was.
   */
  setKeys(keys: KeysConfig): void {
    this.#text(this.#native.setKeys(encodeConfig(keys, this.#catalog)));
  }

  /**
   * How far this process is behind the feed of revocations, in milliseconds: 0 where no other
   * process can revoke, `null` while the feed was never read.
   */
  get feedLag(): number | null {
    return this.#native.feedLag();
  }

  /**
   * The metrics of this process in the text format of Prometheus: the answer of a route
   * `/metrics`, with the content type `text/plain; version=0.0.4`. All auth objects and worker
   * threads count together; the gauges are those of this object.
   */
  metrics(): string {
    return this.#native.metrics();
  }

  /** As {@link Auth.metrics}, as objects: for prom-client, OpenTelemetry and the like. */
  metricsSnapshot(): Metric[] {
    return JSON.parse(this.#text(this.#native.metricsSnapshot())) as Metric[];
  }

  /**
   * How the store is doing: whether it answers, and what an operator should know. A store that
   * cannot be reached is a report and no error, so this suits the page that a load balancer asks.
   */
  async health(): Promise<StoreHealth> {
    return JSON.parse(this.#text(await this.#native.health())) as StoreHealth;
  }

  /**
   * Begins a session and issues its first pair of tokens. The app has checked the password.
   *
   * @throws {@link AuthError} `ERR_CLAIM_INVALID` for a subject or claims that cannot be issued,
   * `ERR_STORE_UNAVAILABLE`.
   */
  async login(subject: SubjectId, options: LoginOptions = {}): Promise<TokenPair> {
    const claims = this.#claims(options.claims);
    const outcome = await this.#native.login(this.#subject(subject), options.device, claims, options.proof);
    return parsePair(this.#text(outcome));
  }

  /**
   * Exchanges a refresh token for a new access token and, with rotation, the next refresh token.
   * Asking again within the grace gives the same refresh token again.
   *
   * @throws {@link AuthError}
   * - `sign_in`: `ERR_REFRESH_EXPIRED`, `ERR_SESSION_UNKNOWN`, `ERR_SESSION_REVOKED`,
   *   `ERR_REFRESH_REUSED`, `ERR_TOKEN_MISSING`.
   * - `retry`, keep the token: `ERR_STORE_UNAVAILABLE`, `ERR_REFRESH_SUPERSEDED`,
   *   `ERR_TOO_MANY_ATTEMPTS` (not before `retryAfter` seconds).
   * - `reject`: what is not a refresh token of this server; `ERR_SUBJECT_MISMATCH`.
   */
  async refresh(refreshToken: string | undefined, options: RefreshOptions = {}): Promise<Renewed> {
    const token = this.#present(refreshToken);
    const { subject, rotate, claims, proof, address } = options;
    const expected = subject === undefined ? undefined : this.#subject(subject);
    const text = this.#claims(
      typeof claims === 'function'
        ? await claims(this.#text(await this.#native.refreshSubject(token)))
        : claims,
    );
    const outcome = await this.#native.refresh(token, { expected, rotate, claims: text, proof, address });
    return parseRenewed(this.#text(outcome), token);
  }

  /**
   * Ends the session of a refresh token, expired or not.
   *
   * @returns Whether it was live.
   * @throws {@link AuthError} `reject` for what is not a refresh token of this server;
   * `ERR_TOKEN_MISSING`; `ERR_STORE_UNAVAILABLE`: ask again.
   */
  async logout(refreshToken: string | undefined): Promise<boolean> {
    return JSON.parse(this.#text(await this.#native.logout(this.#present(refreshToken)))) as boolean;
  }

  /**
   * Ends one session of a user. Its access tokens are refused from now on in this process.
   *
   * @param reason - What the client of that session is told; default `'logout'`.
   * @returns Whether it was live.
   * @throws {@link AuthError} `ERR_CLAIM_INVALID` for what is not a session id;
   * `ERR_STORE_UNAVAILABLE`: ask again.
   */
  async revokeSession(
    subject: SubjectId,
    sessionId: string,
    reason: RevocationReason = 'logout',
  ): Promise<boolean> {
    const outcome = await this.#native.revokeSession(this.#subject(subject), sessionId, reason);
    return JSON.parse(this.#text(outcome)) as boolean;
  }

  /**
   * Ends all sessions of a user, or those that the options mean: everywhere but here
   * (`exceptSession`), or what is from before an instant (`before`). Access tokens that name no
   * session, as an app that was here before issued them, are refused too, also where one session
   * is left alone.
   *
   * @returns How many were live.
   * @throws {@link AuthError} `ERR_CLAIM_INVALID` for what is not a session id, a date or a reason;
   * `ERR_STORE_UNAVAILABLE`: ask again.
   */
  async logoutEverywhere(subject: SubjectId, options: LogoutEverywhereOptions = {}): Promise<number> {
    const { exceptSession, before, reason } = options;
    const outcome = await this.#native.logoutEverywhere(
      this.#subject(subject), exceptSession, before?.getTime(), reason,
    );
    return JSON.parse(this.#text(outcome)) as number;
  }

  /**
   * The sessions of a user: live ones first, each group by last use, newest first. Sessions that
   * idled out are left out.
   *
   * @param options - `current`: the session that asks, to be marked.
   * @throws {@link AuthError} `ERR_STORE_UNAVAILABLE`.
   */
  async sessions(
    subject: SubjectId,
    options: { current?: string | undefined } = {},
  ): Promise<SessionInfo[]> {
    return parseSessions(this.#text(await this.#native.sessions(this.#subject(subject), options.current)));
  }

  /**
   * Takes over all refresh tokens in the Redis of the app that was here before and removes their
   * keys; with `migrate` alone. It can be interrupted and begun again at any time, while users
   * refresh and log out. Processes of the old app find no session any more: stop them first.
   *
   * @throws {@link AuthError} `ERR_CONFIG_INVALID` without `migrate`; `ERR_STORE_UNAVAILABLE`:
   * begin again.
   */
  async sweepOldTokens(options: SweepOptions = {}): Promise<SweepReport> {
    const { dryRun = false, removeDead = false, onProgress } = options;
    const progress = onProgress && ((text: string): void => onProgress(JSON.parse(text) as SweepReport));
    const outcome = await this.#native.sweepOldTokens(dryRun, removeDead, progress);
    return JSON.parse(this.#text(outcome)) as SweepReport;
  }

  /**
   * The token in the value of an `Authorization` header, or of a header of the same form, not
   * verified (RFC 6750 §2.1).
   *
   * @throws {@link AuthError} `ERR_TOKEN_MISSING` without a Bearer token, `ERR_TOKEN_MALFORMED`.
   */
  bearerToken(header: string | undefined): string {
    return this.#text(bearer(header ?? ''));
  }

  /** An error of this auth object, in its language: for apps that refuse for reasons of their own. */
  error(code: ErrorCode, options: { detail?: string; cause?: unknown } = {}): AuthError {
    return this.#catalog.error(code, options);
  }

  #present(token: unknown): string {
    if (typeof token === 'string' && token !== '') return token;
    throw this.#catalog.error('ERR_TOKEN_MISSING');
  }

  /** Nothing but text and whole numbers: `String(undefined)` would be a user of that name. */
  #subject(subject: unknown): string {
    if (typeof subject === 'string') return subject;
    if (Number.isSafeInteger(subject)) return String(subject);
    throw this.#catalog.error('ERR_CLAIM_INVALID', { detail: 'sub' });
  }

  #claims(claims: AppClaims | undefined): string | undefined {
    if (claims === undefined) return undefined;
    // A function has no JSON: it would be no claims at all.
    if (typeof claims === 'object') return JSON.stringify(claims);
    throw this.#catalog.error('ERR_CLAIM_INVALID', { detail: 'claims' });
  }

  #text(outcome: NativeResult): string {
    if (typeof outcome === 'string') return outcome;
    throw this.#catalog.errorOf(outcome);
  }
}
