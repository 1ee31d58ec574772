/** The responses of the endpoints: login, refresh, logout, sessions and public keys. */
import { createHash } from 'node:crypto';
import type { Auth } from '../auth.cjs';
import { AuthError } from '../catalog.cjs';
import type { VerifiedAccess } from '../claims.cjs';
import {
  accessCookie,
  clearedCookies,
  presentedRefreshToken,
  refreshCookie,
  refreshCookieName,
  type TransportOptions,
} from './cookies.cjs';
import {
  addressOf,
  answer,
  header,
  proofOf,
  toAnswer,
  type HttpAnswer,
  type HttpRequest,
  type OriginOptions,
} from './request.cjs';
import type { ClaimsSource, TokenPair } from '../session.cjs';

/** The response body, with the names of RFC 6749 §5.1 in camel case. */
export interface TokenAnswer {
  /** The access token, for `Authorization: Bearer` (RFC 6750 §2.1). */
  accessToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
  /** Only with `cookie: false`. */
  refreshToken?: string;
}

/**
 * The response to a login: `{ accessToken, expiresIn }` and the refresh token as a cookie, or with
 * `cookie: false` as `refreshToken`.
 */
export function loginAnswer(pair: TokenPair, options: TransportOptions = {}): HttpAnswer {
  return tokenAnswer(pair, options, refreshCookie(pair, options));
}

function tokenAnswer(pair: TokenPair, options: TransportOptions, cookies: readonly string[]): HttpAnswer {
  const body: TokenAnswer = { accessToken: pair.accessToken, expiresIn: pair.accessExpiresIn };
  if (refreshCookieName(options) === undefined) body.refreshToken = pair.refreshToken;
  return answer(200, body, [...cookies, ...accessCookie(pair, options)]);
}

/** The options of the refresh endpoint. */
export interface RefreshOptions extends TransportOptions, OriginOptions {
  /** The app's own claims for the new access token. The previous ones are not carried over. */
  claims?: ClaimsSource | undefined;
  /** Overrides `refresh.rotation`. */
  rotate?: boolean | undefined;
  /**
   * The address of the client, for `refresh.limiter`. By default `ip` of Express and Fastify, else the
   * peer of the connection. The `Request` of the Fetch API has none: failures are then not counted per
   * address.
   */
  address?: ((request: HttpRequest) => string | undefined) | undefined;
}

/**
 * The response of the refresh endpoint: `{ accessToken, expiresIn }` and the next refresh token, as a
 * cookie or with `cookie: false` as `refreshToken`; or the response to an error.
 *
 * @throws what `claims` throws, and nothing else.
 */
export function refresh(auth: Auth, request: HttpRequest, options: RefreshOptions = {}): Promise<HttpAnswer> {
  return toAnswer(renew(auth, request, options));
}

/**
 * Exchanges the refresh token of a request (RFC 6749 §6, RFC 9700 §4.14.2). The cookie of a cross-origin
 * request is ignored.
 *
 * @throws AuthError as `auth.refresh`.
 */
export async function renew(auth: Auth, request: HttpRequest, options: RefreshOptions): Promise<HttpAnswer> {
  const { claims, rotate } = options;
  const token = presentedRefreshToken(request, options);
  const proof = auth.checksProofs ? proofOf(request) : undefined;
  const address = (options.address ?? addressOf)(request);
  const renewed = await auth.refresh(token, { claims, rotate, proof, address });
  const sent = tokenAnswer(renewed, options, renewed.rotated ? refreshCookie(renewed, options) : []);
  const nonce = auth.proofNonce;
  return nonce === null ? sent : { ...sent, headers: { ...sent.headers, 'DPoP-Nonce': nonce } };
}

/** How logout finds the refresh token. */
export interface LogoutOptions extends TransportOptions, OriginOptions {}

/**
 * The response of the logout endpoint: 204, and the cookies removed; also if there is no such session. If
 * the store is unreachable it is an error and the cookies stay, so that the client can retry.
 */
export function logout(auth: Auth, request: HttpRequest, options: LogoutOptions = {}): Promise<HttpAnswer> {
  return toAnswer(endSession(auth, request, options));
}

/**
 * Revokes the session of a request's refresh token, if there is one.
 *
 * @throws AuthError `ERR_STORE_UNAVAILABLE`: the cookies stay, so that the client can retry.
 */
export async function endSession(auth: Auth, request: HttpRequest, options: LogoutOptions): Promise<HttpAnswer> {
  try {
    await auth.logout(presentedRefreshToken(request, options));
  } catch (thrown) {
    // No valid refresh token, so no session: the user is logged out.
    const loggedOut = thrown instanceof AuthError && (thrown.advice === 'sign_in' || thrown.advice === 'reject');
    if (!loggedOut) throw thrown;
  }
  return answer(204, undefined, clearedCookies(options));
}

/** A request about the sessions of a user. */
export interface SessionsRequest {
  /** `GET`, `HEAD` or `DELETE`. */
  readonly method?: string | undefined;
  /** The session to revoke, or `others`; all without it. */
  readonly sessionId?: string | undefined;
}

/**
 * The response of the endpoint for the sessions of the authenticated user:
 *
 * - `GET`: `{ sessions: [{ sessionId, device, createdAt, … }] }`, times in ISO 8601.
 * - `DELETE` with a `sessionId`: revokes that session; with `others`: all but the current one; without: all.
 *   `{ ended: number }`.
 *
 * @param access - The result of {@link authenticate}.
 */
export function sessions(auth: Auth, access: VerifiedAccess, request: SessionsRequest): Promise<HttpAnswer> {
  return toAnswer(listOrEnd(auth, access, request));
}

/** @throws AuthError as the methods of `auth`. */
export async function listOrEnd(auth: Auth, access: VerifiedAccess, request: SessionsRequest): Promise<HttpAnswer> {
  const { subject, sessionId: current } = access;
  const { method, sessionId: one } = request;
  if (method === 'GET' || method === 'HEAD') {
    return answer(200, { sessions: await auth.sessions(subject, { current }) });
  }
  if (method !== 'DELETE') {
    const { headers, ...refused } = answer(405);
    return { ...refused, headers: { ...headers, Allow: 'GET, HEAD, DELETE' } };
  }
  if (one === 'others') {
    // An access token of a legacy app does not name its session.
    if (current === undefined) throw auth.error('ERR_CLAIM_MISSING', { detail: 'sid' });
    return answer(200, { ended: await auth.logoutEverywhere(subject, { exceptSession: current }) });
  }
  if (one !== undefined) return answer(200, { ended: Number(await auth.revokeSession(subject, one)) });
  return answer(200, { ended: await auth.logoutEverywhere(subject) });
}

/** How the keys are published. */
export interface JwksOptions {
  /**
   * How many seconds others may cache the response; default 300. Publish a new key for this long before
   * it signs; a removed key may be accepted for this long.
   */
  maxAge?: number | undefined;
}

/**
 * The response with the keys (RFC 7517 §5), with `Cache-Control` and `ETag`; 304 (RFC 9110 §15.4.5) if the
 * client has them already.
 */
export function jwksAnswer(auth: Auth, request: HttpRequest, { maxAge = 300 }: JwksOptions = {}): HttpAnswer {
  const body = auth.jwks();
  const etag = `"${createHash('sha256').update(JSON.stringify(body)).digest('base64url')}"`;
  const headers = { 'Cache-Control': `public, max-age=${maxAge}`, ETag: etag };
  if (hasAlready(header(request, 'if-none-match'), etag)) return { status: 304, headers, cookies: [] };
  return { status: 200, headers: { ...headers, 'Content-Type': 'application/jwk-set+json' }, cookies: [], body };
}

/** RFC 9110 §13.1.2: a list of tags, weak ones among them, or `*`. */
function hasAlready(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false;
  return condition.split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim()));
}
