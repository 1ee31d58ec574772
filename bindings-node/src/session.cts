/** What goes into login, refresh and logout, and what comes out of them. */
import type { RevocationReason } from './catalog.cjs';
import type { Lifetime } from './options.cjs';

/** The id of a user: a string of 1 to 255 bytes, or a whole number, which is converted to a string. */
export type SubjectId = string | number;

/** The app's own claims, by name: any JSON values. */
export type AppClaims = Readonly<Record<string, unknown>>;

/** The options of a login. */
export interface LoginOptions {
  /** A label for the device, shown to the user; truncated to 64 bytes. */
  device?: string | undefined;
  /**
   * The app's own claims for the access tokens of the session, at most 2048 bytes of JSON. They come back with every
   * refresh until one replaces them. The client can read them.
   */
  claims?: AppClaims | undefined;
  /**
   * The session expires when it is not refreshed for this long, in place of `refresh.idleTtl`: seconds, or a text such as
   * `'30d'`. If it is longer than `refresh.absoluteTtl`, that is as long.
   */
  idleTtl?: Lifetime | undefined;
  /**
   * The session expires this long after the login, in place of `refresh.absoluteTtl`: seconds, or a text such as `'90d'`;
   * not shorter than `access.ttl` or a given `idleTtl`.
   */
  absoluteTtl?: Lifetime | undefined;
  /** Whether browsers keep the cookies of the session when they close: "remember me". Default `true`. */
  persistent?: boolean | undefined;
  /** Binds the session to the key that signed this proof (RFC 9449 §5); needs `dpop`. */
  proof?: RequestProof | undefined;
  /**
   * The address of the client, stored with the session unless `refresh.recordClients` is `false`; truncated to 64 bytes.
   * `clientOf` of `regrant/http` reads it from a request.
   */
  address?: string | null | undefined;
  /** The user agent of the client, likewise; truncated to 256 bytes. */
  userAgent?: string | null | undefined;
}

/** The options of an update. */
export interface UpdateOptions extends ClientDetails {
  /** Replaces the app's own claims, at most 2048 bytes of JSON. The client can read them. */
  claims: AppClaims;
  /** Also rejects the user's access tokens issued before, so that their clients refresh at once; default `false`. */
  atOnce?: boolean | undefined;
}

/** Where a request came from. Nothing proves it: clients choose their user agent. */
export interface ClientDetails {
  /** The address of the client, or of the proxy in front of it. */
  readonly address?: string | null | undefined;
  /** The value of the header `User-Agent`. */
  readonly userAgent?: string | null | undefined;
}

/** The session that a refresh is for. */
export interface RefreshContext {
  /** The session. */
  readonly sessionId: string;
  /** The app's claims that the session has so far: those of the login, or of the latest refresh or update that replaced them. */
  readonly claims: AppClaims;
  /** The request, as the framework has it; `undefined` for `auth.refresh`. */
  readonly request: any;
}

/**
 * The app's own claims from a refresh on, in place of those that the session has, or a function that looks them up. It
 * gets the user's id, which is text, or a number with `access.numericSubject`, and the session.
 *
 * ```ts
 * claims: async (userId, { claims }) => ({ ...claims, roles: await rolesOf(userId) })
 * ```
 */
export type ClaimsSource = AppClaims | ((subject: any, session: RefreshContext) => AppClaims | Promise<AppClaims>);

/** The function of {@link ClaimsSource}. */
export type ClaimsFunction = Extract<ClaimsSource, (...args: never[]) => unknown>;

/** Whose session a refresh token belongs to, as the core writes it. */
export interface RefreshIdentity {
  readonly subject: string;
  readonly sessionId: string;
  readonly claims: AppClaims;
}

/** The options of a logout. */
export interface LogoutOptions extends ClientDetails {
  /** The DPoP proof of the request, for a DPoP-bound session. */
  proof?: RequestProof | undefined;
}

/** Which sessions of a user `logoutEverywhere` revokes; by default all. */
export interface LogoutEverywhereOptions extends ClientDetails {
  /** A session to leave out, such as the current one. Its access tokens stay valid. */
  exceptSession?: string | undefined;
  /**
   * Only sessions created before this instant, such as a change of password, and access tokens
   * without a session issued before it.
   */
  before?: Date | undefined;
  /** The reason reported to the clients of these sessions; default `'logout_everywhere'`. */
  reason?: RevocationReason | undefined;
}

/** The options of a refresh. */
export interface RefreshOptions {
  /** The user that the client claims to be. A mismatch is an error. */
  subject?: SubjectId | undefined;
  /** Overrides `refresh.rotation`. A session that has rotated once always rotates, also with `false`. */
  rotate?: boolean | undefined;
  /** Replaces the app's own claims, from this access token on. Without it, those that the session has stay. */
  claims?: ClaimsSource | undefined;
  /** The DPoP proof of the request, for a DPoP-bound session. */
  proof?: RequestProof | undefined;
  /**
   * The address of the client, for which `refresh.limiter` counts tokens that this server did not
   * issue. Behind a trusted proxy, the address that the proxy reports. Stored with the session too, unless
   * `refresh.recordClients` is `false`.
   */
  address?: string | null | undefined;
  /** The user agent of the client, stored with the session likewise. */
  userAgent?: string | null | undefined;
}

/** A proof and the request that it must match. `proofOf` of `regrant/http` reads it from a request. */
export interface RequestProof {
  /** The value of the header `DPoP`. */
  readonly proof: string;
  /** The method of the request. */
  readonly method: string;
  /** The path of the request as the client sent it, with or without a query. */
  readonly path: string;
}

/** A session of a user. */
export interface SessionInfo {
  /** The session. */
  readonly sessionId: string;
  /** The label of the device; empty if the app gave none. */
  readonly device: string;
  /** When the user logged in. */
  readonly createdAt: Date;
  /** The last refresh, or the login. */
  readonly lastRefreshedAt: Date;
  /** When it expires unless it is refreshed or revoked before. */
  readonly expiresAt: Date;
  /** Where the login came from, if that is known. */
  readonly createdFrom?: ClientDetails;
  /** Where the last refresh came from, if that is known. */
  readonly lastRefreshedFrom?: ClientDetails;
  /** Whether it is the session of `current`. */
  readonly current: boolean;
  /** Whether it is live or revoked. */
  readonly state: 'live' | 'revoked';
  /** The reason of the revocation. */
  readonly reason?: RevocationReason;
  /** When it was revoked. */
  readonly endedAt?: Date;
}

/** Parses sessions that the core wrote as JSON; times are milliseconds since 1970. */
export function parseSessions(text: string): SessionInfo[] {
  type Instants = 'createdAt' | 'lastRefreshedAt' | 'expiresAt';
  type Written = Omit<SessionInfo, Instants | 'endedAt'> & Record<Instants, number> & { endedAt?: number };
  return (JSON.parse(text) as Written[]).map(({ endedAt, ...written }) => ({
    ...written,
    ...(endedAt !== undefined && { endedAt: new Date(endedAt) }),
    createdAt: new Date(written.createdAt),
    lastRefreshedAt: new Date(written.lastRefreshedAt),
    expiresAt: new Date(written.expiresAt),
  }));
}

/** The options of an access token without a session. */
export interface IssueOptions {
  /** The app's own claims. */
  claims?: AppClaims | undefined;
}

/** An access token without a session. */
export interface IssuedAccessToken {
  /** The access token. */
  readonly accessToken: string;
  /** When it expires. */
  readonly accessExpiresAt: Date;
  /** Whole seconds until it expires. */
  readonly accessExpiresIn: number;
}

/** Parses an access token that the core issued. */
export function parseIssued(text: string): IssuedAccessToken {
  const { now, accessToken, accessExpiresAt } = JSON.parse(text) as Pick<Written, 'now' | 'accessToken' | 'accessExpiresAt'>;
  return { accessToken, accessExpiresAt: new Date(accessExpiresAt), accessExpiresIn: wholeSeconds(accessExpiresAt - now) };
}

/** The tokens of a session. */
export interface TokenPair {
  /** The access token, for every request. */
  readonly accessToken: string;
  /** When the access token expires. */
  readonly accessExpiresAt: Date;
  /** Whole seconds until the access token expires. */
  readonly accessExpiresIn: number;
  /** The refresh token, for the refresh endpoint only. */
  readonly refreshToken: string;
  /** When the refresh token expires unless it is used before. */
  readonly refreshExpiresAt: Date;
  /** Whole seconds until the refresh token expires. */
  readonly refreshExpiresIn: number;
  /** The session. */
  readonly sessionId: string;
  /** The user of the session. */
  readonly subject: string;
  /** Whether browsers keep the cookies of the session when they close. */
  readonly persistent: boolean;
}

/**
 * Whether a refresh issued a new refresh token, the same new one again (within the grace period, or longer while nobody
 * has used it), or none.
 */
export type Renewal = 'issued' | 'reissued' | 'kept';

/** The result of a refresh. `refreshToken` is the one to store, whether it is new or not. */
export interface Renewed extends TokenPair {
  /** Whether `refreshToken` differs from the presented one. */
  readonly rotated: boolean;
  /** The kind of renewal. */
  readonly renewal: Renewal;
}

/** The JSON of the core; times are milliseconds since 1970. */
interface Written {
  now: number;
  accessToken: string;
  accessExpiresAt: number;
  refreshToken: string | null;
  refreshExpiresAt: number;
  sessionId: string;
  subject: string;
  persistent: boolean;
}

/** The pair in the core's JSON, with `presented` if no refresh token was issued. */
function pair(written: Written, presented: string): TokenPair {
  const { now, accessToken, accessExpiresAt, refreshToken, refreshExpiresAt } = written;
  const { sessionId, subject, persistent } = written;
  return {
    accessToken,
    accessExpiresAt: new Date(accessExpiresAt),
    accessExpiresIn: wholeSeconds(accessExpiresAt - now),
    refreshToken: refreshToken ?? presented,
    refreshExpiresAt: new Date(refreshExpiresAt),
    refreshExpiresIn: wholeSeconds(refreshExpiresAt - now),
    sessionId,
    subject,
    persistent,
  };
}

function wholeSeconds(ms: number): number {
  return Math.max(0, Math.floor(ms / 1000));
}

/** Parses the result of a login. */
export function parsePair(text: string): TokenPair {
  return pair(JSON.parse(text) as Written, '');
}

/** Parses the result of a refresh with `presented`. */
export function parseRenewed(text: string, presented: string): Renewed {
  const written = JSON.parse(text) as Written & { renewal: Renewal };
  return { ...pair(written, presented), rotated: written.refreshToken !== null, renewal: written.renewal };
}

/** The options of a sweep. */
export interface SweepOptions {
  /** Counts without changing anything; default `false`. */
  dryRun?: boolean | undefined;
  /** Also removes expired tokens and those of unknown users; default `false`. */
  removeDead?: boolean | undefined;
  /** Called after each page of keys. */
  onProgress?: ((soFar: SweepReport) => void) | undefined;
}

/** The counts of a sweep. A key may be counted more than once. */
export interface SweepReport {
  /** Scanned keys. */
  readonly scanned: number;
  /** Tokens that were migrated to sessions, or with `dryRun` would be. */
  readonly converted: number;
  /** Tokens that were logged out. */
  readonly loggedOut: number;
  /** Tokens past their `exp`. */
  readonly expired: number;
  /** Tokens of unknown users. */
  readonly unknownUsers: number;
  /** Keys that hold no token of the legacy app. They are never changed. */
  readonly foreign: number;
  /** Removed keys of expired tokens and unknown users. */
  readonly removed: number;
}
