/** The middleware itself: verify, leave who asks on the request, load the user, let it pass. */
import type { Request, RequestHandler } from 'express';
import type { VerifiedAccess } from '../claims.cjs';
import { userOf, type UserOptions } from '../http/authenticate.cjs';
import type { AccessGuard } from '../http/guard.cjs';
import type { AuthedRequest } from './request-auth.cjs';
import { failureOf, type ErrorOptions } from './respond.cjs';

/** What happens once the token is verified: the user of `loadUser` becomes `res.locals.user`. */
export interface MiddlewareOptions<T extends object = object> extends UserOptions<T, Request>, ErrorOptions {}

/** Who asks; `undefined` for a request that may pass without saying so. */
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
  return (req, res, next) => {
    const fail = failureOf(options, req, res, next);
    const pass = (access: Verdict<T>): void => {
      if (access === undefined) return next();
      (req as AuthedRequest<T>).auth = access;
      if (!options.loadUser) return next();
      userOf(auth, access, req, options).then((user) => {
        res.locals['user'] = user;
        next();
      }, fail);
    };
    let verdict: Verdict<T> | Promise<Verdict<T>>;
    try {
      verdict = verify(req);
    } catch (thrown) {
      return fail(thrown);
    }
    if (verdict instanceof Promise) verdict.then(pass, fail);
    else pass(verdict);
  };
}
