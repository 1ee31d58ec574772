/** Middleware, routes and responses for Express. */
import type { ErrorRequestHandler, NextFunction, Request, RequestHandler, Response } from 'express';
import type { Auth } from '../auth.cjs';
import { AuthError, Catalog, isAuthError } from '../catalog.cjs';
import type { VerifiedAccess } from '../claims.cjs';
import {
  checkMiddlewareOptions,
  preflightAnswer,
  userOf,
  verifyRequest,
  type AccessOptions,
  type UserOptions,
} from '../http/authenticate.cjs';
import {
  accessCookie,
  checkClientRoute,
  checkJwksRoute,
  checkRefreshRoute,
  clearedCookies,
  endSession,
  jwksAnswer,
  listOrEnd,
  loginAnswer,
  refreshCookie,
  renew,
  requestClient,
  type ClientOptions,
  type JwksOptions,
  type RefreshOptions,
} from '../http/endpoints.cjs';
import { addNonce, checkAuth, refuseOptions, webOf, type AccessGuard } from '../http/guard.cjs';
import {
  answerToken,
  checkIntrospectionRoute,
  checkTokenRoute,
  introspect,
  revoke,
  type IntrospectionOptions,
  type TokenOptions,
} from '../http/oauth.cjs';
import { authOf, requestCheck, requiredClaims, freshLogin, requiredScopes, type FreshLogin, type RequiredClaims, type Requirement } from '../http/permission.cjs';
import { NO_STORE, appError, refusal, sessionIdOf, type HttpAnswer } from '../http/request.cjs';
import type { TokenPair } from '../session.cjs';

/** What happens once the token is verified: the user of `loadUser` becomes `res.locals.user`. */
export interface MiddlewareOptions<T extends object = object> extends UserOptions<T, Request>, ErrorOptions {}

/** A middleware in front of any route, which keeps the types of its own parameters, body and query. */
export type Middleware = <P, ResBody, ReqBody, Query, Locals extends Record<string, any>>(
  req: Request<P, ResBody, ReqBody, Query, Locals>,
  res: Response<ResBody, Locals>,
  next: NextFunction,
) => void;

/** The verified token; `undefined` for an anonymous request (`optional`). */
type Verdict<T extends object> = VerifiedAccess<T> | undefined;

/**
 * @param verify - Finds and verifies the token of a request; throws the refusal. `undefined`
 * lets the request pass without `req.auth`. A promise is only waited for where there is one.
 */
export function middleware<T extends object>(
  auth: AccessGuard,
  verify: (req: Request) => Verdict<T> | Promise<Verdict<T>>,
  options: MiddlewareOptions<T>,
): RequestHandler {
  // No closure is made for a request whose verdict is there at once.
  const pass = (access: Verdict<T>, req: Request, res: Response, next: NextFunction): void => {
    if (access === undefined || !options.loadUser) {
      // For an anonymous request the property exists too, with the value `undefined`.
      (req as { auth?: Verdict<T> }).auth = access;
      return next();
    }
    userOf(auth, access, req, options).then((user) => {
      // Not before: an app that goes on after a refusal must not find it.
      (req as { auth?: Verdict<T> }).auth = access;
      res.locals['user'] = user;
      next();
    }, failureOf(options, req, res, next, auth));
  };
  return (req, res, next) => {
    let verdict: Verdict<T> | Promise<Verdict<T>>;
    try {
      verdict = verify(req);
    } catch (thrown) {
      return failureOf(options, req, res, next, auth)(thrown);
    }
    // Not by its class: the app may have replaced the global `Promise`, and an async function returns another.
    if (!isPromise(verdict)) return pass(verdict, req, res, next);
    verdict.then((access) => pass(access, req, res, next), failureOf(options, req, res, next, auth));
  };
}

function isPromise<V>(value: V | Promise<V>): value is Promise<V> {
  return typeof (value as Partial<Promise<V>> | undefined)?.then === 'function';
}

/** Which requests may pass, and what is made of them. `T`: the app's own claims. */
export interface AuthenticateOptions<T extends object = object> extends AccessOptions, MiddlewareOptions<T> {}

/**
 * Lets a request pass whose access token is good, and sets `req.auth` (`AuthedRequest`). Looks at
 * the access token alone: no I/O but that of `loadUser`, and of `whenStale` where it is given.
 */
export function authenticate<T extends object = object>(
  auth: AccessGuard,
  options: AuthenticateOptions<T> = {},
): Middleware {
  const web = webOf(auth);
  checkMiddlewareOptions(auth, options);
  const verify = middleware(auth, (req: Request) => verifyRequest<T>(auth, web, req, options), options);
  const handle: RequestHandler = (req, res, next) => {
    const preflight = preflightAnswer(req, web);
    if (preflight) send(res, preflight);
    else verify(req, res, next);
  };
  return handle as Middleware;
}

/**
 * Lets a request pass whose access token has all of `scopes` in its claim `scope`; mount it behind {@link authenticate}.
 * Others are 403 `insufficient_scope` (RFC 6750 §3.1), and those without a token 401.
 */
export function requireScopes(auth: AccessGuard, scopes: string | readonly string[], options: ErrorOptions = {}): Middleware {
  return permitted(auth, requiredScopes(scopes), options);
}

/**
 * As {@link requireScopes}, for claims of the app: `requireClaims(auth, { role: 'admin' })`. A claim that is an array
 * must contain the value.
 */
export function requireClaims(auth: AccessGuard, claims: RequiredClaims, options: ErrorOptions = {}): Middleware {
  return permitted(auth, requiredClaims(claims), options);
}

/**
 * As {@link requireScopes}, for a recent login (RFC 9470): of at most `maxAge` seconds ago by the claim `auth_time`, which
 * the app gives to the session: `auth.login(user, { claims: { auth_time: Math.floor(Date.now() / 1000) } })`. Others are
 * 401 `insufficient_user_authentication`.
 */
export function requireFreshLogin(auth: AccessGuard, { maxAge, ...options }: FreshLogin & ErrorOptions): Middleware {
  return permitted(auth, freshLogin({ maxAge }), options);
}

function permitted(auth: AccessGuard, requirement: Requirement, options: ErrorOptions): Middleware {
  const check = requestCheck(auth, requirement, options);
  const handle: RequestHandler = (req, res, next) => {
    try {
      check(req);
    } catch (thrown) {
      return failureOf(options, req, res, next, auth)(thrown);
    }
    next();
  };
  return handle as Middleware;
}

/** The verified access token. `T`: the app's own claims. */
export type RequestAuth<T extends object = object> = VerifiedAccess<T>;

/** A request that passed `authenticate`. */
export type AuthedRequest<T extends object = object> = Request & {
  /** The verified access token. */
  auth: RequestAuth<T>;
};

/**
 * Sends the pair: `{ accessToken, expiresIn }` and the refresh token as a cookie, or with
 * `web.refreshCookie: false` as `refreshToken`. The status is that of `res.status`, by default 200.
 */
export function loginResponse(auth: Auth, res: Response, pair: TokenPair): void {
  refuseOptions(arguments[3]);
  send(res, { ...loginAnswer(auth, requestOf(auth, res), pair), status: res.statusCode });
}

/** The options of the refresh endpoint. */
export interface RefreshHandlerOptions extends RefreshOptions, ErrorOptions {}

/**
 * Exchanges the refresh token of the request for `{ accessToken, expiresIn }` and the next refresh
 * token, as a cookie or with `web.refreshCookie: false` as `refreshToken`. Mount it with `app.post`, or with `app.all` to answer
 * CORS preflights too; other methods are then 405.
 *
 * The cookie of a cross-origin request is refused. With `web.refreshCookie: false`, mount `express.json()` before it.
 */
export function refreshHandler(auth: Auth, options: RefreshHandlerOptions = {}): RequestHandler {
  checkRefreshRoute(auth, options);
  return handler((req) => renew(auth, req, options), options);
}

/**
 * Revokes the session of the refresh token, removes the cookies and responds with 204, also if there is
 * no such session any more. A request without a refresh token is 401, one that another site's page sends 403, and
 * neither removes cookies. If the store is unreachable it is an error and the cookies stay, so that the client
 * can retry. Mount it as {@link refreshHandler}.
 */
export function logoutHandler(auth: Auth, options: ClientOptions & ErrorOptions = {}): RequestHandler {
  checkClientRoute(auth, options, 'refreshCookie');
  return handler((req) => endSession(auth, req, options), options);
}

/**
 * Lists and revokes the sessions of the user of the access token; mount it behind {@link authenticate}:
 *
 * - `GET /sessions`: `{ sessions: [{ sessionId, device, createdAt, lastRefreshedAt, expiresAt, createdFrom?,
 *   lastRefreshedFrom?, current, state, reason?, endedAt? }] }`, times in ISO 8601; `createdFrom` and `lastRefreshedFrom` are
 *   `{ address?, userAgent? }`, unless `refresh.recordClients` is `false`.
 * - `DELETE /sessions/:sessionId`: revokes that one. `{ ended: 0 | 1 }`; 404 if the user has no such session.
 * - `DELETE /sessions/others`: revokes all but the current one. `{ ended: number }`.
 * - `DELETE /sessions`: revokes all. `{ ended: number }`.
 *
 * Nobody can see or revoke the sessions of another user.
 */
export function sessionsHandler(auth: Auth, options: ClientOptions & ErrorOptions = {}): RequestHandler {
  checkClientRoute(auth, options, 'accessCookie');
  return handler(async (req) => answerSessions(auth, req, req.params['sessionId'], options), options);
}

function answerSessions(auth: Auth, req: Request, id: unknown, { address }: ClientOptions): Promise<HttpAnswer> {
  const client = requestClient(auth, req, address);
  return listOrEnd(auth, authOf(req), { method: req.method, sessionId: sessionIdOf(req, id), ...client });
}

/**
 * The routes
 *
 * - `POST /refresh` and `POST /logout`: {@link refreshHandler} and {@link logoutHandler}, with the responses to CORS preflights
 *   and 405 for other methods;
 * - `GET /sessions`, `DELETE /sessions`, `/sessions/others` and `/sessions/:sessionId`: {@link sessionsHandler}.
 *
 * Mount it at the path of the refresh cookie, by default `/auth`:
 *
 * ```ts
 * app.use('/auth', authRouter(auth));
 * ```
 */
export function authRouter(auth: Auth, options: RefreshHandlerOptions = {}): RequestHandler {
  const refresh = refreshHandler(auth, options);
  const errors: ErrorOptions = { onError: options.onError };
  const others: ClientOptions & ErrorOptions = { ...errors, address: options.address };
  const logout = logoutHandler(auth, others);
  const guard = authenticate(auth, errors);
  return (req, res, next): void => {
    const [name, id, ...rest] = req.path.split('/').slice(1);
    const isLeaf = id === undefined || (id === '' && rest.length === 0);
    if (isLeaf && name === 'refresh') return void refresh(req, res, next);
    if (isLeaf && name === 'logout') return void logout(req, res, next);
    if (name !== 'sessions' || rest.length > 0) return next();
    const list = handler(async (asked) => answerSessions(auth, asked, id, others), errors);
    guard(req, res, (thrown?: unknown) => void (thrown === undefined ? list(req, res, next) : next(thrown)));
  };
}

/** The options of {@link oauthRouter}. */
export interface OAuthRouterOptions extends TokenOptions, Partial<IntrospectionOptions>, ErrorOptions {}

/**
 * The endpoints of OAuth 2.0, for clients and services that speak nothing else. They take forms, read by
 * `express.urlencoded()` or by themselves, and never cookies:
 *
 * - `POST /token` with `grant_type=refresh_token` (RFC 6749 §6);
 * - `POST /revoke` (RFC 7009);
 * - `POST /introspect` (RFC 7662), with `authorize`, which decides who may ask.
 *
 * ```ts
 * app.use('/oauth', oauthRouter(auth, { authorize: (req) => isService(req) }));
 * ```
 */
export function oauthRouter(auth: Auth, options: OAuthRouterOptions = {}): RequestHandler {
  const { onError, authorize, ...tokenOptions } = options;
  checkTokenRoute(auth, tokenOptions);
  if ('authorize' in options) checkIntrospectionRoute(auth, { authorize } as IntrospectionOptions);
  const routes: Record<string, RequestHandler> = {
    token: handler((req) => answerToken(auth, req, tokenOptions), { onError }),
    revoke: handler((req) => revoke(auth, req), { onError }),
    ...(authorize && { introspect: handler((req) => introspect(auth, req, { authorize }), { onError }) }),
  };
  return (req, res, next): void => {
    const [, name = '', ...others] = req.path.split('/');
    // Express ignores a slash at the end.
    const isLeaf = others.every((other) => other === '') && others.length < 2;
    const route = isLeaf && Object.hasOwn(routes, name) ? routes[name] : undefined;
    if (route) return void route(req, res, next);
    next();
  };
}

/**
 * Publishes the public keys of access tokens (RFC 7517 §5), with cache headers:
 *
 * ```ts
 * app.get('/.well-known/jwks.json', jwksHandler(auth));
 * ```
 */
export function jwksHandler(auth: Auth, options: JwksOptions = {}): RequestHandler {
  checkJwksRoute(auth, options);
  return (req, res) => send(res, jwksAnswer(auth, req, options));
}

/**
 * Sets the refresh cookie: `HttpOnly`, `Secure`, `SameSite=Strict`, for its path, with the lifetime of
 * the token. Does nothing with `web.refreshCookie: false`.
 */
export function setRefreshCookie(auth: Auth, res: Response, pair: TokenPair): void {
  refuseOptions(arguments[3]);
  setCookies(res, refreshCookie(auth, requestOf(auth, res), pair));
}

/**
 * Sets the access cookie: `HttpOnly`, `Secure`, `SameSite=Lax`, with the lifetime of the token. Does
 * nothing without `web.accessCookie`.
 */
export function setAccessCookie(auth: Auth, res: Response, pair: TokenPair): void {
  refuseOptions(arguments[3]);
  setCookies(res, accessCookie(auth, requestOf(auth, res), pair));
}

/** Removes both cookies from the browser. */
export function clearAuthCookies(auth: Auth, res: Response): void {
  refuseOptions(arguments[2]);
  setCookies(res, clearedCookies(auth, requestOf(auth, res)));
}

/** The request of a response. */
function requestOf(auth: Auth, res: Response): Request {
  checkAuth(auth);
  if (res?.req?.headers) return res.req;
  throw new Catalog().argumentInvalid('res', 'expected a response of Express');
}

/** Sends an error in the app's own way, or passes it to `next`. */
export type OnError = (err: AuthError, req: Request, res: Response, next: NextFunction) => void;

/** How errors are sent. */
export interface ErrorOptions {
  /**
   * Sends an error in place of the default: the error's status and headers and the JSON
   * `{ error: { code, advice, message } }`.
   */
  onError?: OnError | undefined;
}

/**
 * Sends the `AuthError`s that reach the app's error handling: from `next(err)`, from routes that call `auth` and, in
 * Express 5, from rejected promises. Mount it last; other errors go on.
 *
 * ```ts
 * app.use(authErrorHandler());
 * ```
 */
export function authErrorHandler(): ErrorRequestHandler {
  refuseOptions(arguments[0]);
  return (err, req, res, next) => {
    if (!isAuthError(err) || res.headersSent) return next(err);
    answerError(err, req, res);
  };
}

/** Forbids caching of the response (RFC 6749 §5.1). */
export function noStore(res: Response): void {
  res.set(NO_STORE);
}

/** Adds cookies to those that the app has set. */
export function setCookies(res: Response, cookies: readonly string[]): void {
  for (const cookie of cookies) res.append('Set-Cookie', cookie);
}

/** Sends a response. */
export function send(res: Response, { status, headers, cookies, body }: HttpAnswer): void {
  setCookies(res, cookies);
  res.status(status).set({ ...headers });
  if (body === undefined) res.end();
  else res.json(body);
}

/** Sends an error with its status and headers and `{ error: { code, advice, message } }`. */
export function answerError(err: AuthError, _req: Request, res: Response): void {
  // `failureOf` has set the cookies already, for an `onError` of the app too.
  send(res, { ...refusal(err), cookies: [] });
}

/** A route that sends the response of `answer`, or its error. */
export function handler(answer: (req: Request) => Promise<HttpAnswer>, options: ErrorOptions): RequestHandler {
  return (req, res, next) => {
    answer(req).then((given) => send(res, given)).catch(failureOf(options, req, res, next));
  };
}

/**
 * A function that takes any exception: an `AuthError` is sent, anything else is the app's and goes to
 * `next`.
 *
 * @param guard - That of a guarded route, whose rejections name the nonce for the next proof.
 */
export function failureOf(
  { onError = answerError }: ErrorOptions,
  req: Request,
  res: Response,
  next: NextFunction,
  guard?: AccessGuard,
) {
  const pass = (thrown: unknown): void => next(appError(thrown));
  return (thrown: unknown): void => {
    // After the response, by a time-out for example, there is nothing left to send.
    if (!isAuthError(thrown) || res.headersSent) return pass(thrown);
    if (guard) addNonce(guard, thrown);
    noStore(res);
    setCookies(res, thrown.cookies ?? []);
    try {
      // It may be an async function, whatever its type says.
      Promise.resolve(onError(thrown, req, res, next) as unknown).catch(pass);
    } catch (own) {
      pass(own);
    }
  };
}
