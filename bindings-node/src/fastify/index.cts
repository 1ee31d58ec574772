/**
 * regrant for Fastify 5.
 *
 * @module regrant/fastify
 */
import type {
  FastifyInstance,
  FastifyPluginCallback,
  FastifyReply,
  FastifyRequest,
  HTTPMethods,
  RegisterOptions,
  RouteHandlerMethod,
} from 'fastify';
import type { Auth } from '../auth.cjs';
import { Catalog, isAuthError, type AuthError } from '../catalog.cjs';
import type { VerifiedAccess } from '../claims.cjs';
import { isObject } from '../arguments.cjs';
import {
  checkMiddlewareOptions,
  preflightAnswer,
  userOf,
  verifyRequest,
  type AccessOptions,
  type UserOptions,
} from '../http/authenticate.cjs';
import {
  checkJwksRoute,
  checkRefreshRoute,
  endSession,
  jwksAnswer,
  listOrEnd,
  loginAnswer,
  renew,
  requestClient,
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

export { authOf } from '../http/permission.cjs';
export { clientOf, proofOf } from '../http/request.cjs';
export type { AccessOptions, UserOptions } from '../http/authenticate.cjs';
export type { FreshLogin, RequiredClaims } from '../http/permission.cjs';
export type { AccessGuard } from '../http/guard.cjs';
export type { ClientOptions, JwksOptions, RefreshOptions, TokenAnswer } from '../http/endpoints.cjs';

/** Which requests may pass, and what is made of them. `T`: the app's own claims. */
export interface AuthenticateOptions<T extends object = object>
  extends AccessOptions, UserOptions<T, FastifyRequest>, ErrorOptions {}

/** A request to a server over HTTP/1, HTTPS or HTTP/2, for any route. */
export type AnyRequest = FastifyRequest<any, any, any, any, any, any, any>;
/** The reply to one. */
export type AnyReply = FastifyReply<any, any, any, any, any, any, any>;

/** A hook of Fastify, for `onRequest` or `preHandler`. */
export type AuthHook = (request: AnyRequest, reply: AnyReply) => Promise<unknown>;

/**
 * Verifies the access token of a request and sets `request.auth`, and with `loadUser` also
 * `request.user` (`AuthedRequest`). Does no I/O except for `loadUser` and `whenStale`.
 */
export function authenticate<T extends object = object>(
  auth: AccessGuard,
  options: AuthenticateOptions<T> = {},
): AuthHook {
  const web = webOf(auth);
  checkMiddlewareOptions(auth, options);
  return async (request, reply) => {
    const preflight = preflightAnswer(request, web);
    if (preflight) return sent(send(reply, preflight));
    try {
      const access = await verifyRequest<T>(auth, web, request, options);
      const user = access && options.loadUser && (await userOf(auth, access, request, options));
      // Only once the user is known too: an app that goes on after a refusal must not find it. For an anonymous request the
      // property exists, with the value `undefined`.
      (request as { auth?: typeof access }).auth = access;
      if (access && options.loadUser) (request as AuthedRequest<T>).user = user;
      return undefined;
    } catch (thrown) {
      return fail(thrown, request, reply, options, auth);
    }
  };
}

/**
 * Lets a request pass whose access token has all of `scopes` in its claim `scope`: a hook behind {@link authenticate}.
 * Others are 403 `insufficient_scope` (RFC 6750 §3.1), and those without a token 401.
 */
export function requireScopes(auth: AccessGuard, scopes: string | readonly string[], options: ErrorOptions = {}): AuthHook {
  return permitted(auth, requiredScopes(scopes), options);
}

/**
 * As {@link requireScopes}, for claims of the app: `requireClaims(auth, { role: 'admin' })`. A claim that is an array
 * must contain the value.
 */
export function requireClaims(auth: AccessGuard, claims: RequiredClaims, options: ErrorOptions = {}): AuthHook {
  return permitted(auth, requiredClaims(claims), options);
}

/**
 * As {@link requireScopes}, for a recent login (RFC 9470): of at most `maxAge` seconds ago by the claim `auth_time`, which
 * the app gives to the session: `auth.login(user, { claims: { auth_time: Math.floor(Date.now() / 1000) } })`. Others are
 * 401 `insufficient_user_authentication`.
 */
export function requireFreshLogin(auth: AccessGuard, { maxAge, ...options }: FreshLogin & ErrorOptions): AuthHook {
  return permitted(auth, freshLogin({ maxAge }), options);
}

function permitted(auth: AccessGuard, requirement: Requirement, options: ErrorOptions): AuthHook {
  const check = requestCheck(auth, requirement, options);
  return async (request, reply) => {
    try {
      check(request);
      return undefined;
    } catch (thrown) {
      return fail(thrown, request, reply, options, auth);
    }
  };
}

/** A request that passed `authenticate`. `T`: the app's own claims; `U`: the user that `loadUser` returned. */
export type AuthedRequest<T extends object = object, U = unknown> = FastifyRequest & {
  /** The verified access token. */
  auth: VerifiedAccess<T>;
  /** The user that `loadUser` returned. */
  user: U;
};

/** The options of the routes. */
export interface AuthRoutesOptions extends RefreshOptions, ErrorOptions {
  /** The auth object. */
  auth: Auth;
}

const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * A plugin with the routes
 *
 * - `POST /refresh`: `{ accessToken, expiresIn }` and the next refresh token, as a cookie or with
 *   `web.refreshCookie: false` as `refreshToken`;
 * - `POST /logout`: 204, and the cookies removed; 401 without a refresh token;
 * - `GET /sessions`: `{ sessions: [{ sessionId, device, createdAt, … }] }`, times in ISO 8601;
 * - `DELETE /sessions/:sessionId`, `/sessions/others` and `/sessions`: `{ ended: number }`.
 *
 * They answer CORS preflights, and 405 to other methods.
 *
 * Register it at the path of the refresh cookie, by default `/auth`:
 *
 * ```ts
 * app.register(authRoutes, { auth, prefix: '/auth' });
 * ```
 */
export const authRoutes: FastifyPluginCallback<AuthRoutesOptions> = (app, options, done) => {
  try {
    addRoutes(app, options);
  } catch (thrown) {
    // What a plugin throws would be uncaught; this rejects `app.ready()`.
    return done(thrown as Error);
  }
  done();
};

/** @throws AuthError `ERR_ARGUMENT_INVALID`; and what Fastify throws, for a route that exists. */
function addRoutes(app: FastifyInstance, options: AuthRoutesOptions): void {
  const { auth, prefix, logLevel, logSerializers, ...endpoints } = options as AuthRoutesOptions & RegisterOptions;
  checkRefreshRoute(auth, endpoints);
  const route = (answer: (request: FastifyRequest) => Promise<HttpAnswer>) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      try {
        return send(reply, await answer(request));
      } catch (thrown) {
        return fail(thrown, request, reply, options);
      }
    };
  // A form of another page gets the response of the route, not 415. Only JSON bodies count.
  // Many clients send `Content-Type: application/json` with every request, also with an empty body.
  const json = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, parsed) => {
    if (body === '') return parsed(null);
    return void json(request, body as string, (error, value) => parsed(error, isObject.accepts(value) ? value : null));
  });
  // Its default parser gives text, which would look like a body that nothing has parsed.
  app.removeContentTypeParser('text/plain');
  if (!app.hasContentTypeParser('*')) {
    app.addContentTypeParser('*', (_request, payload, parsed) => {
      payload.resume();
      parsed(null);
    });
  }
  const all = (url: string, handlers: { onRequest?: AuthHook; handler: RouteHandlerMethod }) =>
    app.route({ method: METHODS, url, exposeHeadRoute: false, ...handlers });
  all('/refresh', { handler: route((request) => renew(auth, request, endpoints)) });
  all('/logout', { handler: route((request) => endSession(auth, request, endpoints)) });
  const sessions = {
    onRequest: authenticate(auth, { onError: options.onError }),
    handler: route((request) => {
      const sessionId = sessionIdOf(request, (request.params as { sessionId?: string }).sessionId);
      const client = requestClient(auth, request, endpoints.address);
      return listOrEnd(auth, authOf(request), { method: request.method, sessionId, ...client });
    }),
  };
  all('/sessions', sessions);
  all('/sessions/:sessionId', sessions);
}

/** The options of {@link oauthRoutes}. */
export interface OAuthRoutesOptions extends TokenOptions, Partial<IntrospectionOptions>, ErrorOptions {
  /** The auth object. */
  auth: Auth;
}

/**
 * A plugin with the endpoints of OAuth 2.0, for clients and services that speak nothing else. They take forms, and never
 * cookies:
 *
 * - `POST /token` with `grant_type=refresh_token` (RFC 6749 §6);
 * - `POST /revoke` (RFC 7009);
 * - `POST /introspect` (RFC 7662), with `authorize`, which decides who may ask.
 *
 * ```ts
 * app.register(oauthRoutes, { auth, prefix: '/oauth', authorize: (request) => isService(request) });
 * ```
 */
export const oauthRoutes: FastifyPluginCallback<OAuthRoutesOptions> = (app, options, done) => {
  try {
    addOAuthRoutes(app, options);
  } catch (thrown) {
    return done(thrown as Error);
  }
  done();
};

/** @throws AuthError `ERR_ARGUMENT_INVALID` */
function addOAuthRoutes(app: FastifyInstance, options: OAuthRoutesOptions): void {
  const { auth, prefix, logLevel, logSerializers, onError, authorize, ...tokenOptions } = options as OAuthRoutesOptions & RegisterOptions;
  checkTokenRoute(auth, tokenOptions);
  if ('authorize' in options) checkIntrospectionRoute(auth, { authorize } as IntrospectionOptions);
  // Whatever the client calls its body, it is read as a form.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, parsed) => parsed(null, body));
  const post = (url: string, answer: (request: FastifyRequest) => Promise<HttpAnswer>) =>
    app.route({
      method: METHODS,
      url,
      exposeHeadRoute: false,
      handler: async (request, reply) => {
        try {
          return send(reply, await answer(request));
        } catch (thrown) {
          return fail(thrown, request, reply, options);
        }
      },
    });
  post('/token', (request) => answerToken(auth, request, tokenOptions));
  post('/revoke', (request) => revoke(auth, request));
  if (authorize) post('/introspect', (request) => introspect(auth, request, { authorize }));
}

/**
 * Sends the pair: `{ accessToken, expiresIn }` and the refresh token as a cookie, or with
 * `web.refreshCookie: false` as `refreshToken`. The status is that of `reply.code`, by default 200.
 */
export function loginReply(auth: Auth, reply: AnyReply, pair: TokenPair): AnyReply {
  checkAuth(auth);
  refuseOptions(arguments[3]);
  if (typeof reply?.request !== 'object') throw new Catalog().argumentInvalid('reply', 'expected a reply of Fastify');
  return send(reply, { ...loginAnswer(auth, reply.request, pair), status: reply.statusCode });
}

/**
 * Publishes the public keys of access tokens (RFC 7517 §5), with cache headers:
 *
 * ```ts
 * app.get('/.well-known/jwks.json', jwksHandler(auth));
 * ```
 */
export function jwksHandler(
  auth: Auth,
  options: JwksOptions = {},
): (request: AnyRequest, reply: AnyReply) => AnyReply {
  checkJwksRoute(auth, options);
  return (request, reply) => send(reply, jwksAnswer(auth, request, options));
}

/** How errors are sent. */
export interface ErrorOptions {
  /**
   * Sends an error in place of the default (the error's status and headers and the JSON
   * `{ error: { code, advice, message } }`), by `reply.send` or by returning the body. To leave it to the app's error
   * handler, throw the error. A request for which it does none of these never gets a response.
   */
  onError?: ((error: AuthError, request: FastifyRequest, reply: FastifyReply) => unknown) | undefined;
}

/** Sends a response. */
function send(reply: FastifyReply, { status, headers, cookies, body }: HttpAnswer): FastifyReply {
  // Fastify appends headers of this name.
  for (const cookie of cookies) reply.header('set-cookie', cookie);
  return reply.code(status).headers({ ...headers }).send(body);
}

/** Sends an error with its status and headers and `{ error: { code, advice, message } }`. */
export function answerError(error: AuthError, _request: FastifyRequest, reply: FastifyReply): FastifyReply {
  // `fail` has set the cookies already, for an `onError` of the app too.
  return send(reply, { ...refusal(error), cookies: [] });
}

/** Sends an `AuthError`; any other exception is the app's and is thrown again. */
async function fail(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { onError = answerError }: ErrorOptions,
  guard?: AccessGuard,
): Promise<unknown> {
  if (!isAuthError(thrown)) throw appError(thrown);
  if (guard) addNonce(guard, thrown);
  reply.headers(NO_STORE);
  for (const cookie of thrown.cookies ?? []) reply.header('set-cookie', cookie);
  const own = await onError(thrown, request, reply);
  if (own !== undefined && !reply.sent) reply.send(own);
  return sent(reply);
}

/**
 * Ends a request that was refused. Fastify runs the handler of a hook that has returned unless the response was ended, and a
 * client may be gone before that: then this never returns.
 */
async function sent(reply: FastifyReply): Promise<FastifyReply> {
  if (!reply.sent) await new Promise<void>((resolve) => reply.raw.once('finish', () => resolve()));
  return reply;
}
