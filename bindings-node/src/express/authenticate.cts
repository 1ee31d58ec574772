/** The middleware in front of protected routes. */
import type { Request, RequestHandler } from 'express';
import { accessOf, type AccessOptions } from '../http/authenticate.cjs';
import type { AccessGuard } from '../http/guard.cjs';
import { middleware, type MiddlewareOptions } from './middleware.cjs';

/** Where the access token is and what is made of it. `T`: the app's own claims. */
export interface AuthenticateOptions<T extends object = object> extends AccessOptions, MiddlewareOptions<T> {}

/**
 * Lets a request pass whose access token is good, and sets `req.auth` (`AuthedRequest`). Looks at
 * the access token alone: no I/O but that of `loadUser`, and of `whenStale` where it is given.
 */
export function authenticate<T extends object = object>(
  auth: AccessGuard,
  options: AuthenticateOptions<T> = {},
): RequestHandler {
  return middleware(auth, (req: Request) => accessOf<T>(auth, req, options), options);
}
