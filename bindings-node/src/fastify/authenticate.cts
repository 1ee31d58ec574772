/** The hook of protected routes. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { accessOf, userOf, type AccessOptions, type UserOptions } from '../http/authenticate.cjs';
import type { AccessGuard } from '../http/guard.cjs';
import type { AuthedRequest } from './request-auth.cjs';
import { fail, type ErrorOptions } from './respond.cjs';

/** Where the access token is, and how it is used. `T`: the app's own claims. */
export interface AuthenticateOptions<T extends object = object>
  extends AccessOptions, UserOptions<T, FastifyRequest>, ErrorOptions {}

/** A hook of Fastify, for `onRequest` or `preHandler`. */
export type AuthHook = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/**
 * Verifies the access token of a request and sets `request.auth`, and with `loadUser` also
 * `request.user` (`AuthedRequest`). Does no I/O except for `loadUser` and `whenStale`.
 */
export function authenticate<T extends object = object>(
  auth: AccessGuard,
  options: AuthenticateOptions<T> = {},
): AuthHook {
  return async (request, reply) => {
    try {
      const access = await accessOf<T>(auth, request, options);
      if (access === undefined) return undefined;
      const passed = request as AuthedRequest<T>;
      passed.auth = access;
      if (options.loadUser) passed.user = await userOf(auth, access, request, options);
      return undefined;
    } catch (thrown) {
      return fail(thrown, request, reply, options);
    }
  };
}
