/** The responses of the endpoints: login, refresh, logout, sessions and public keys. */
import type { NativeResult, PresentedBody } from '../../native.cjs';
import { internalsOf, type Auth, type AuthInternals } from '../auth.cjs';
import { checkArgument, detailsOf, encodeClaims, isAnything, isFlag, isFunction, isObject, isText, isWellFormedText, type Check, type Checks } from '../arguments.cjs';
import type { AuthError, Catalog } from '../catalog.cjs';
import type { VerifiedAccess } from '../claims.cjs';
import { checkAuth, checkHandlerOptions, errorChecks, refuseOptions } from './guard.cjs';
import { addressOf, checkRequest, clientOf, headOf, methodNotAllowed, parseAnswer, toAnswer, type HttpAnswer, type HttpRequest } from './request.cjs';
import type { ClaimsSource, ClientDetails, RefreshIdentity, TokenPair } from '../session.cjs';

/** The response body, with the names of RFC 6749 §5.1 in camel case. */
export interface TokenAnswer {
  /** The access token, for `Authorization: Bearer` (RFC 6750 §2.1). */
  accessToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
  /** Only with `web.refreshCookie: false`. */
  refreshToken?: string;
}

/**
 * The response to a login: `{ accessToken, expiresIn }` and the refresh token as a cookie, or with
 * `web.refreshCookie: false` as `refreshToken`.
 *
 * @param request - The request of the login.
 * @throws AuthError `ERR_CONFIG_INVALID` for a token that is longer than browsers store in a cookie.
 */
export function loginAnswer(auth: Auth, request: HttpRequest, pair: TokenPair): HttpAnswer {
  checkAuth(auth);
  checkRequest(request);
  refuseOptions(arguments[3]);
  const { native, catalog, web } = internalsOf(auth);
  checkArgument('pair', pair, isPair, catalog);
  return parseAnswer(catalog.textOf(native.loginResponse(headOf(request, web), pair)));
}

/** What the responses use of a pair. */
export const isPair: Check = {
  accepts: (value) => {
    const { accessToken, accessExpiresIn, refreshToken, refreshExpiresIn, persistent } = (value ?? {}) as Partial<TokenPair>;
    return [accessToken, refreshToken].every(isText.accepts)
      && (persistent === undefined || typeof persistent === 'boolean')
      && [accessExpiresIn, refreshExpiresIn].every((seconds) => Number.isSafeInteger(seconds) && seconds! >= 0);
  },
  expected: 'what auth.login returned',
};

/** The refresh cookie; none with `web.refreshCookie: false`. */
export function refreshCookie(auth: Auth, request: HttpRequest, pair: TokenPair): string[] {
  return tokenCookie(auth, pair, ({ web }) =>
    web.native.setRefreshCookie(headOf(request, web), pair.refreshToken, cookieLifetime(pair, pair.refreshExpiresIn)));
}

/** The access cookie; none without `web.accessCookie`. */
export function accessCookie(auth: Auth, request: HttpRequest, pair: TokenPair): string[] {
  return tokenCookie(auth, pair, ({ web }) =>
    web.native.setAccessCookie(headOf(request, web), pair.accessToken, cookieLifetime(pair, pair.accessExpiresIn)));
}

function tokenCookie(auth: Auth, pair: TokenPair, set: (internals: AuthInternals) => NativeResult): string[] {
  checkAuth(auth);
  const internals = internalsOf(auth);
  checkArgument('pair', pair, isPair, internals.catalog);
  const cookie = internals.catalog.textOf(set(internals));
  return cookie === '' ? [] : [cookie];
}

/** The seconds after which a cookie of the pair expires; `undefined`: when the browser closes. */
function cookieLifetime(pair: TokenPair, seconds: number): number | undefined {
  return pair.persistent === false ? undefined : seconds;
}

/** Removes both cookies from the browser. */
export function clearedCookies(auth: Auth, request: HttpRequest): string[] {
  checkAuth(auth);
  const { catalog, web } = internalsOf(auth);
  return JSON.parse(catalog.textOf(web.native.removeCookies(headOf(request, web)))) as string[];
}

const clientChecks: Checks<ClientOptions> = { address: isFunction };
const refreshChecks: Checks<RefreshOptions> = { claims: isAnything, rotate: isFlag, ...clientChecks };

/** How an endpoint finds out who asks. */
export interface ClientOptions {
  /**
   * The address of the client, for `refresh.limiter`, the list of sessions and audit events. By default `ip` of Express
   * and Fastify, else the peer of the connection. The `Request` of the Fetch API has none: failures are then not counted
   * per address, as with a function that returns `undefined` or `null`.
   */
  address?: ((request: HttpRequest) => string | undefined | null) | undefined;
}

/** The options of the refresh endpoint. */
export interface RefreshOptions extends ClientOptions {
  /**
   * Replaces the app's own claims from this access token on; in a session that does not rotate, in this access token only.
   * Without it, the session keeps its claims.
   */
  claims?: ClaimsSource | undefined;
  /** Overrides `refresh.rotation`. A session that has rotated once always rotates, also with `false`. */
  rotate?: boolean | undefined;
}

/**
 * Checks the arguments of a framework's route.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID`
 */
export function checkRefreshRoute(auth: Auth, options: RefreshOptions & { onError?: unknown }): void {
  checkAuth(auth);
  checkHandlerOptions(options, { ...refreshChecks, ...errorChecks }, 'refreshCookie');
}

/**
 * The response of the refresh endpoint: `{ accessToken, expiresIn }` and the next refresh token, as a
 * cookie or with `web.refreshCookie: false` as `refreshToken`; or the response to an error. Answers CORS preflights; other methods
 * than `POST` are 405, and a request without `method` counts as `POST`.
 *
 * @throws what `claims` throws, and `ERR_ARGUMENT_INVALID` for unfit options.
 */
export async function refresh(auth: Auth, request: HttpRequest, options: RefreshOptions = {}): Promise<HttpAnswer> {
  checkAuth(auth);
  checkRequest(request);
  checkHandlerOptions(options, refreshChecks, 'refreshCookie');
  return toAnswer(renew(auth, request, options));
}

/**
 * Exchanges the refresh token of a request (RFC 6749 §6, RFC 9700 §4.14.2). The cookie of a cross-origin
 * request is refused.
 *
 * @throws AuthError as `auth.refresh`. Its `cookies` remove those of a session that is over.
 */
export async function renew(auth: Auth, request: HttpRequest, options: RefreshOptions): Promise<HttpAnswer> {
  const other = otherMethod(auth, request);
  if (other) return other;
  const { native, catalog, web } = internalsOf(auth);
  const address = clientAddress(request, options.address, catalog);
  const head = headOf(request, web);
  const presented = catalog.textOf(await native.presentRefresh(head, bodyOf(request)));
  const { token } = JSON.parse(presented) as { token: string };
  const { claims, identityError } = await claimsOf(auth, token, request, options.claims);
  const outcome = await native.refreshResponse(head, presented, { claims, rotate: options.rotate, address });
  if (identityError && typeof outcome === 'string') throw identityError;
  return parseAnswer(catalog.textOf(outcome));
}

/** The address of a client, by the app's function if there is one. @throws AuthError `ERR_ARGUMENT_INVALID` */
function clientAddress(request: HttpRequest, find: ClientOptions['address'], catalog: Catalog): string | undefined {
  const address = (find ?? addressOf)(request) ?? undefined;
  if (address !== undefined) checkArgument('address', address, isWellFormedText, catalog);
  return address;
}

/** The app's claims for a refresh, as JSON text, or why its function was not called. */
interface RefreshClaims {
  readonly claims: string | undefined;
  readonly identityError?: AuthError;
}

/**
 * Asks the app for the claims of a refresh. If the user and the session of a token cannot be determined (it is malformed,
 * forged or unknown), the function is not called: the refresh that follows refuses the token itself, with the cookies to
 * remove. If that refresh succeeds all the same, the caller throws `identityError`.
 *
 * @throws what the app's function throws; AuthError `ERR_STORE_UNAVAILABLE`: retry.
 */
export async function claimsOf(
  auth: Auth,
  token: string,
  request: HttpRequest,
  source: ClaimsSource | undefined,
): Promise<RefreshClaims> {
  const { native, catalog, idOf } = internalsOf(auth);
  if (source === undefined) return { claims: undefined };
  if (typeof source !== 'function') return { claims: encodeClaims(source, catalog) };
  const identity = await native.refreshIdentity(token);
  if (typeof identity !== 'string') {
    const identityError = catalog.errorOf(identity);
    if (identityError.advice === 'retry') throw identityError;
    return { claims: undefined, identityError };
  }
  const { subject, ...session } = JSON.parse(identity) as RefreshIdentity;
  const claims: unknown = await source(idOf(subject), { ...session, request });
  return { claims: encodeClaims(claims, catalog) };
}

/** The response to a request that is no `POST`: that of a CORS preflight, or 405. */
function otherMethod(auth: Auth, request: HttpRequest): HttpAnswer | undefined {
  const { method = 'POST' } = request;
  if (method === 'POST') return undefined;
  const { web } = internalsOf(auth);
  const preflight = web.native.preflight(headOf(request, web));
  return preflight === null ? methodNotAllowed('POST') : parseAnswer(preflight);
}

/**
 * What there is of the body. A parser leaves a property `body`, in Express 5 also where it had nothing to parse. The
 * `Request` of the Fetch API has an unread stream there.
 */
function bodyOf(request: HttpRequest): PresentedBody {
  if (!('body' in request)) return { state: 'unread', refreshToken: undefined };
  const { body } = request;
  if (isRaw(body)) return { state: 'raw', refreshToken: undefined };
  const token = (body as { refreshToken?: unknown } | null | undefined)?.refreshToken;
  return { state: 'parsed', refreshToken: typeof token === 'string' ? token : undefined };
}

/** Whether a body is text, bytes or a stream, of Node.js or the Fetch API. */
function isRaw(body: unknown): boolean {
  if (typeof body === 'string') return body !== '';
  if (ArrayBuffer.isView(body)) return body.byteLength > 0;
  const { getReader, pipe } = (body ?? {}) as { getReader?: unknown; pipe?: unknown };
  return typeof getReader === 'function' || typeof pipe === 'function';
}

/**
 * The response of the logout endpoint: 204, and the cookies are removed, also if the session is over already. Nothing is
 * revoked and the cookies stay for a request without a refresh token (401 `ERR_TOKEN_MISSING`), for the cookie of a
 * cross-origin request (403 `ERR_ORIGIN_NOT_ALLOWED`), and while the store is unreachable (503 `ERR_STORE_UNAVAILABLE`), so
 * that the client can retry. With the query `?session=ID` only a cookie of that session counts: a logout that is late does not end
 * the session of a login meanwhile. Other methods are answered as by {@link refresh}.
 */
export async function logout(auth: Auth, request: HttpRequest, options: ClientOptions = {}): Promise<HttpAnswer> {
  checkAuth(auth);
  checkRequest(request);
  checkHandlerOptions(options, clientChecks, 'refreshCookie');
  return toAnswer(endSession(auth, request, options));
}

/**
 * Checks the arguments of a framework's route for logout or sessions.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID`
 */
export function checkClientRoute(
  auth: Auth,
  options: ClientOptions & { onError?: unknown },
  cookie: 'refreshCookie' | 'accessCookie',
): void {
  checkAuth(auth);
  checkHandlerOptions(options, { ...clientChecks, ...errorChecks }, cookie);
}

/**
 * Revokes the session of a request's refresh token.
 *
 * @throws AuthError `ERR_TOKEN_MISSING`; `reject` for what is no refresh token of this server, and for the cookie of a
 * cross-origin request; `ERR_STORE_UNAVAILABLE`; `ERR_ARGUMENT_INVALID` for a body that was not parsed.
 */
export async function endSession(auth: Auth, request: HttpRequest, { address }: ClientOptions): Promise<HttpAnswer> {
  const other = otherMethod(auth, request);
  if (other) return other;
  const { native, catalog, web } = internalsOf(auth);
  const from = clientAddress(request, address, catalog);
  return parseAnswer(catalog.textOf(await native.logoutResponse(headOf(request, web), bodyOf(request), from)));
}

/** A request about the sessions of a user, and its client for the audit events: `{ method, sessionId, ...clientOf(request) }`. */
export interface SessionsRequest extends ClientDetails {
  /** `GET` or `HEAD` without `sessionId`, or `DELETE`; anything else is 405. */
  readonly method?: string | undefined;
  /** The session to revoke, or `others`; all without it. */
  readonly sessionId?: string | undefined;
}

const isAccess: Check = {
  accepts: (value) => {
    const { subject, sessionId } = (value ?? {}) as Partial<VerifiedAccess>;
    return isWellFormedText.accepts(subject) && (sessionId === undefined || isWellFormedText.accepts(sessionId));
  },
  expected: 'the auth of what authenticate returned',
};

/**
 * The response of the endpoint for the sessions of the authenticated user:
 *
 * - `GET`, `HEAD`: `{ sessions }`, each a `SessionInfo` with its times in ISO 8601. Without a `sessionId`.
 * - `DELETE` with a `sessionId`: revokes that session; with `others`: all but the current one; without: all.
 *   `{ ended: number }`: how many were live. A `sessionId` that is not one of the user's is 404 `ERR_NOT_FOUND`, and `others`
 *   with a token that names no session 401 `ERR_CLAIM_MISSING`.
 *
 * @param access - The `auth` of a {@link Decision}.
 */
export async function sessions(auth: Auth, access: VerifiedAccess, request: SessionsRequest): Promise<HttpAnswer> {
  checkAuth(auth);
  refuseOptions(arguments[3]);
  const { catalog } = internalsOf(auth);
  checkArgument('access', access, isAccess, catalog);
  checkArgument('request', request, isObject, catalog);
  const { method, sessionId, address, userAgent } = request;
  if (method !== undefined) checkArgument('method', method, isText, catalog);
  if (sessionId !== undefined) checkArgument('sessionId', sessionId, isText, catalog);
  if (address !== undefined) checkArgument('address', address, isWellFormedText, catalog);
  if (userAgent !== undefined) checkArgument('userAgent', userAgent, isWellFormedText, catalog);
  return toAnswer(listOrEnd(auth, access, { method, sessionId, address, userAgent }));
}

/** @throws AuthError as the core's endpoint. */
export async function listOrEnd(auth: Auth, access: VerifiedAccess, request: SessionsRequest): Promise<HttpAnswer> {
  const { native, catalog } = internalsOf(auth);
  const { method = '', sessionId } = request;
  const client = detailsOf(request);
  return parseAnswer(catalog.textOf(await native.sessionsResponse(access.subject, access.sessionId, method, sessionId, client)));
}

/** The client of a request, with the address that the app's function finds. */
export function requestClient(auth: Auth, request: HttpRequest, address: ClientOptions['address']): ClientDetails {
  return { ...clientOf(request), address: clientAddress(request, address, internalsOf(auth).catalog) };
}

/** How the keys are published. */
export interface JwksOptions {
  /**
   * How many seconds others may cache the response; default 300. Publish a new key for this long before
   * it signs; a removed key may be accepted for this long.
   */
  maxAge?: number | undefined;
}

/** RFC 9111 §1.2.2. */
const MAX_SECONDS = 2 ** 31;

const jwksChecks: Checks<JwksOptions> = {
  maxAge: {
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_SECONDS,
    expected: 'a number of seconds',
  },
};

/** @throws AuthError `ERR_ARGUMENT_INVALID` */
export function checkJwksRoute(auth: Auth, options: JwksOptions): void {
  checkAuth(auth);
  checkHandlerOptions(options, jwksChecks, 'refreshCookie');
}

/**
 * The response with the keys (RFC 7517 §5), with `Cache-Control` and `ETag`; 304 (RFC 9110 §15.4.5) if the
 * client has them already.
 */
export function jwksAnswer(auth: Auth, request: HttpRequest, options: JwksOptions = {}): HttpAnswer {
  checkJwksRoute(auth, options);
  checkRequest(request);
  const { native, catalog, web } = internalsOf(auth);
  return parseAnswer(catalog.textOf(native.jwksResponse(headOf(request, web), options.maxAge)));
}
