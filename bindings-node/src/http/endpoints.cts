/** The responses of the endpoints: login, refresh, logout, sessions and public keys. */
import { createHash } from 'node:crypto';
import type { NativeResult } from '../../native.cjs';
import { internalsOf, type Auth } from '../auth.cjs';
import { checkOptions, encodeClaims, isAnything, isFlag, isFunction, type Checks } from '../arguments.cjs';
import { Catalog, type AuthError } from '../catalog.cjs';
import type { VerifiedAccess } from '../claims.cjs';
import {
  addressOf,
  amend,
  answer,
  header,
  headOf,
  methodNotAllowed,
  parseAnswer,
  toAnswer,
  type HttpAnswer,
  type HttpRequest,
} from './request.cjs';
import type { ClaimsSource, TokenPair } from '../session.cjs';
import { checkGuard, isByBody, transportChecks, webOf, type OriginOptions, type TransportOptions } from './web.cjs';

/** The response body, with the names of RFC 6749 §5.1 in camel case. */
export interface TokenAnswer {
  /** The access token, for `Authorization: Bearer` (RFC 6750 §2.1). */
  accessToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
  /** Only with `cookie: false`. */
  refreshToken?: string;
}

/** A response without a request, for cookies that do not depend on one. */
const NO_REQUEST: HttpRequest = { headers: {} };

/**
 * The response to a login: `{ accessToken, expiresIn }` and the refresh token as a cookie, or with
 * `cookie: false` as `refreshToken`.
 *
 * @param request - The request of the login, which `secure: 'auto'` needs.
 * @throws AuthError `ERR_CONFIG_INVALID` for a token that is longer than browsers store in a cookie.
 */
export function loginAnswer(pair: TokenPair, options: TransportOptions = {}, request: HttpRequest = NO_REQUEST): HttpAnswer {
  const body: TokenAnswer = { accessToken: pair.accessToken, expiresIn: pair.accessExpiresIn };
  if (isByBody(options)) body.refreshToken = pair.refreshToken;
  return answer(200, body, [...refreshCookie(pair, options, request), ...accessCookie(pair, options, request)]);
}

/** The refresh cookie; none with `cookie: false`. */
export function refreshCookie(pair: TokenPair, options: TransportOptions, request: HttpRequest): string[] {
  checkEndpointOptions(options);
  return cookies(webOf(options).setRefreshCookie(headOf(request), pair.refreshToken, pair.refreshExpiresIn));
}

/** The access cookie; none without `accessCookie`. */
export function accessCookie(pair: TokenPair, options: TransportOptions, request: HttpRequest): string[] {
  checkEndpointOptions(options);
  return cookies(webOf(options).setAccessCookie(headOf(request), pair.accessToken, pair.accessExpiresIn));
}

function cookies(outcome: NativeResult): string[] {
  if (typeof outcome !== 'string') throw new Catalog().errorOf(outcome);
  return outcome === '' ? [] : [outcome];
}

/** Removes both cookies from the browser. */
export function clearedCookies(options: TransportOptions, request: HttpRequest): string[] {
  checkEndpointOptions(options);
  const outcome = webOf(options).removeCookies(headOf(request));
  if (typeof outcome !== 'string') throw new Catalog().errorOf(outcome);
  return JSON.parse(outcome) as string[];
}

/** Those of all endpoints, because an app passes one object to all of them. */
export const endpointChecks: Checks<RefreshOptions & { onError?: unknown }> = {
  ...transportChecks,
  claims: isAnything,
  rotate: isFlag,
  address: isFunction,
  onError: isFunction,
};

/** @throws AuthError `ERR_ARGUMENT_INVALID`, `ERR_CONFIG_INVALID` */
export function checkEndpointOptions(options: object): void {
  checkOptions(options, endpointChecks, new Catalog());
  webOf(options);
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
 * cookie or with `cookie: false` as `refreshToken`; or the response to an error. Answers CORS preflights; other methods
 * than `POST` are 405, and a request without `method` counts as `POST`.
 *
 * @throws what `claims` throws, and `ERR_ARGUMENT_INVALID` or `ERR_CONFIG_INVALID` for unfit options.
 */
export async function refresh(auth: Auth, request: HttpRequest, options: RefreshOptions = {}): Promise<HttpAnswer> {
  checkGuard(auth);
  checkEndpointOptions(options);
  return toAnswer(renew(auth, request, options));
}

/**
 * Exchanges the refresh token of a request (RFC 6749 §6, RFC 9700 §4.14.2). The cookie of a cross-origin
 * request is ignored.
 *
 * @throws AuthError as `auth.refresh`. Its `cookies` remove those of a session that is over.
 */
export async function renew(auth: Auth, request: HttpRequest, options: RefreshOptions): Promise<HttpAnswer> {
  const other = otherMethod(request, options);
  if (other) return other;
  const { rotate } = options;
  const { native, catalog, idOf } = internalsOf(auth);
  const [web, head] = [webOf(options), headOf(request)];
  const presented = textOf(await web.presentRefresh(native, head, bodyToken(request)), catalog);
  const { token } = JSON.parse(presented) as { token: string };
  let claims: unknown = options.claims;
  let unknownUser: AuthError | undefined;
  if (typeof options.claims === 'function') {
    const subject = await native.refreshSubject(token);
    if (typeof subject !== 'string') {
      unknownUser = catalog.errorOf(subject);
      if (unknownUser.advice === 'retry') throw unknownUser;
      // The refresh is refused for the same reason, and with the cookies that are to be removed.
      claims = undefined;
    } else {
      claims = await options.claims(idOf(subject));
      if (claims === undefined) throw catalog.argumentInvalid('claims', 'expected a plain object');
    }
  }
  const text = claims === undefined ? undefined : encodeClaims(claims, catalog);
  const address = (options.address ?? addressOf)(request);
  const outcome = await web.refresh(native, head, presented, text, rotate, undefined, address);
  if (unknownUser && typeof outcome === 'string') throw unknownUser;
  return parseAnswer(textOf(outcome, catalog));
}

/** The response to a request that is no `POST`: that of a CORS preflight, or 405. */
function otherMethod(request: HttpRequest, options: RefreshOptions): HttpAnswer | undefined {
  const { method = 'POST' } = request;
  if (method === 'POST') return undefined;
  const preflight = webOf(options).preflight(headOf(request));
  return preflight === null ? methodNotAllowed('POST') : parseAnswer(preflight);
}

function textOf(outcome: NativeResult, catalog: Catalog): string {
  if (typeof outcome === 'string') return outcome;
  throw amend(catalog.errorOf(outcome), outcome);
}

/** The refresh token of the parsed JSON body (`express.json()`). */
function bodyToken({ body }: HttpRequest): string | undefined {
  const token = (body as { refreshToken?: unknown } | null | undefined)?.refreshToken;
  return typeof token === 'string' ? token : undefined;
}

/** How logout finds the refresh token. */
export interface LogoutOptions extends TransportOptions, OriginOptions {}

/**
 * The response of the logout endpoint: 204, and the cookies removed; also if there is no such session any more. A
 * request without a refresh token that counts is refused with 401, and its cookies stay: it ends nothing. If the store
 * is unreachable it is an error and the cookies stay, so that the client can retry. Methods are those of {@link refresh}.
 */
export async function logout(auth: Auth, request: HttpRequest, options: LogoutOptions = {}): Promise<HttpAnswer> {
  checkGuard(auth);
  checkEndpointOptions(options);
  return toAnswer(endSession(auth, request, options));
}

/**
 * Revokes the session of a request's refresh token.
 *
 * @throws AuthError `ERR_TOKEN_MISSING`; `reject` for what is no refresh token of this server; `ERR_STORE_UNAVAILABLE`.
 */
export async function endSession(auth: Auth, request: HttpRequest, options: LogoutOptions): Promise<HttpAnswer> {
  const other = otherMethod(request, options);
  if (other) return other;
  const { native, catalog } = internalsOf(auth);
  return parseAnswer(textOf(await webOf(options).logout(native, headOf(request), bodyToken(request)), catalog));
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

/** As the core forms them: 16 bytes as base64url. */
const SESSION_ID = /^[\w-]{21}[AQgw]$/;

/** @throws AuthError as the methods of `auth`. */
export async function listOrEnd(auth: Auth, access: VerifiedAccess, request: SessionsRequest): Promise<HttpAnswer> {
  const { subject, sessionId: current } = access;
  const { method, sessionId: one } = request;
  if (method === 'GET' || method === 'HEAD') {
    return answer(200, { sessions: await auth.sessions(subject, { current }) });
  }
  if (method !== 'DELETE') return methodNotAllowed('GET, HEAD, DELETE');
  if (one === 'others') {
    // An access token of a legacy app does not name its session.
    if (current === undefined) throw auth.error('ERR_CLAIM_MISSING', { detail: 'sid' });
    return answer(200, { ended: await auth.logoutEverywhere(subject, { exceptSession: current }) });
  }
  if (one !== undefined) return answer(200, { ended: Number(await revokeOne(auth, subject, one)) });
  return answer(200, { ended: await auth.logoutEverywhere(subject) });
}

/** @throws AuthError `ERR_NOT_FOUND` for what is no session id: it comes from the URL. */
async function revokeOne(auth: Auth, subject: string, sessionId: string): Promise<boolean> {
  if (!SESSION_ID.test(sessionId)) throw auth.error('ERR_NOT_FOUND');
  return auth.revokeSession(subject, sessionId);
}

/** How the keys are published. */
export interface JwksOptions {
  /**
   * How many seconds others may cache the response; default 300. Publish a new key for this long before
   * it signs; a removed key may be accepted for this long.
   */
  maxAge?: number | undefined;
}

export const jwksChecks: Checks<JwksOptions> = {
  maxAge: { accepts: (value) => Number.isSafeInteger(value) && (value as number) >= 0, expected: 'a number of seconds' },
};

/**
 * The response with the keys (RFC 7517 §5), with `Cache-Control` and `ETag`; 304 (RFC 9110 §15.4.5) if the
 * client has them already.
 */
export function jwksAnswer(auth: Auth, request: HttpRequest, options: JwksOptions = {}): HttpAnswer {
  checkOptions(options, jwksChecks, new Catalog());
  const { maxAge = 300 } = options;
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
