/** The middleware itself: verify, leave who asks on the request, load the user, let it pass. */
import type { Request, RequestHandler, Response } from 'express';
import type { Auth } from '../auth.cjs';
import type { AccessClaims, VerifiedAccess } from '../claims.cjs';
import type { AuthedRequest } from './request-auth.cjs';
import { failureOf, type ErrorOptions } from './respond.cjs';

/** What happens once the token is verified. `T`: the app's own claims. */
export interface GateOptions<T extends object = object> extends ErrorOptions {
  /** The claim that `loadUser` gets, if not the configured subject. */
  subjectClaim?: string | undefined;
  /**
   * Loads the user, who becomes `res.locals.user`. No user (`null`, `undefined`) is refused as an
   * unknown session; what it throws goes to `next`.
   */
  loadUser?: ((subject: string, claims: AccessClaims & T, req: Request) => unknown) | undefined;
}

/** Who asks; `undefined` for a request that may pass without saying so. */
type Verdict<T extends object> = VerifiedAccess<T> | undefined;

/**
 * @param verify - Finds and verifies the token of a request; throws the refusal. `undefined`
 * lets the request pass without `req.auth`. A promise is only waited for where there is one.
 */
export function gate<T extends object>(
  auth: Auth,
  verify: (req: Request) => Verdict<T> | Promise<Verdict<T>>,
  options: GateOptions<T>,
): RequestHandler {
  return (req, res, next) => {
    const fail = failureOf(options, req, res, next);
    const pass = (access: Verdict<T>): void => {
      if (access === undefined) return next();
      (req as AuthedRequest<T>).auth = access;
      if (!options.loadUser) return next();
      loadInto(res, auth, access, options, req).then(() => next(), fail);
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

async function loadInto<T extends object>(
  res: Response,
  auth: Auth,
  { subject, claims }: VerifiedAccess<T>,
  { loadUser, subjectClaim }: GateOptions<T>,
  req: Request,
): Promise<void> {
  const id = subjectClaim === undefined ? subject : claimText(auth, claims, subjectClaim);
  const user: unknown = await loadUser?.(id, claims, req);
  if (user === null || user === undefined) {
    throw auth.error('ERR_SESSION_UNKNOWN', { detail: 'no such user' });
  }
  res.locals['user'] = user;
}

function claimText(auth: Auth, claims: AccessClaims, name: string): string {
  const value = claims[name];
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw auth.error('ERR_CLAIM_MISSING', { detail: name });
}
