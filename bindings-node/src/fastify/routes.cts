/** Refresh, logout and sessions as a plugin. */
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import type { Auth } from '../auth.cjs';
import type { HttpAnswer } from '../http/answer.cjs';
import type { AccessOptions } from '../http/authenticate.cjs';
import { listOrEnd } from '../http/sessions.cjs';
import { endSession, loginAnswer, renew, type RefreshOptions } from '../http/tokens.cjs';
import type { TransportOptions } from '../http/cookies.cjs';
import type { TokenPair } from '../tokens.cjs';
import { authenticate } from './authenticate.cjs';
import { authOf } from './request-auth.cjs';
import { fail, send, type ErrorOptions } from './respond.cjs';

/** The options of the routes. */
export interface AuthRoutesOptions extends RefreshOptions, ErrorOptions {
  /** The auth object. */
  auth: Auth;
  /** Where the routes below `sessions` find the access token. */
  access?: AccessOptions | undefined;
}

/**
 * A plugin with the routes
 *
 * - `POST /refresh`: `{ accessToken, expiresIn }` and the next refresh token, as a cookie or with
 *   `cookie: false` as `refreshToken`;
 * - `POST /logout`: 204, and the cookies removed;
 * - `GET /sessions`: `{ sessions: [{ sessionId, device, createdAt, … }] }`, times in ISO 8601;
 * - `DELETE /sessions/:sessionId`, `/sessions/others` and `/sessions`: `{ ended: number }`.
 *
 * Register it at the path of the refresh cookie, by default `/auth`:
 *
 * ```ts
 * app.register(authRoutes, { auth, prefix: '/auth' });
 * ```
 */
export const authRoutes: FastifyPluginCallback<AuthRoutesOptions> = (app, options, done) => {
  const { auth, access } = options;
  const route = (answer: (request: FastifyRequest) => Promise<HttpAnswer>) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      try {
        return send(reply, await answer(request));
      } catch (thrown) {
        return fail(thrown, request, reply, options);
      }
    };
  app.post('/refresh', route((request) => renew(auth, request, options)));
  app.post('/logout', route((request) => endSession(auth, request, options)));
  const sessions = {
    onRequest: authenticate(auth, { ...access, onError: options.onError, optional: false }),
    handler: route((request) => {
      const { sessionId } = request.params as { sessionId?: string };
      return listOrEnd(auth, authOf(request), { method: request.method, sessionId });
    }),
  };
  app.route({ method: ['GET', 'DELETE'], url: '/sessions', ...sessions });
  app.route({ method: 'DELETE', url: '/sessions/:sessionId', ...sessions });
  done();
};

/**
 * Sends the pair: `{ accessToken, expiresIn }` and the refresh token as a cookie, or with
 * `cookie: false` as `refreshToken`. The status is that of `reply.code`, by default 200.
 */
export function loginReply(reply: FastifyReply, pair: TokenPair, options: TransportOptions = {}): FastifyReply {
  return send(reply, { ...loginAnswer(pair, options), status: reply.statusCode });
}
