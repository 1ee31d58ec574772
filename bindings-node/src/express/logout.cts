/** The end of the session that a request's refresh token belongs to. */
import type { Request, RequestHandler } from 'express';
import type { Auth } from '../auth.cjs';
import { AuthError } from '../auth-error.cjs';
import { clearAuthCookies, type TransportOptions } from './cookies.cjs';
import { presentedRefreshToken } from './presented.cjs';
import { failureOf, noStore, type ErrorOptions } from './respond.cjs';
import type { OriginOptions } from './same-site.cjs';

/** How logout finds the refresh token. */
export interface LogoutHandlerOptions extends TransportOptions, OriginOptions, ErrorOptions {}

/**
 * Ends the session, removes the cookies and answers 204; also when there was no session to end.
 * A store that does not answer is an error, and the cookies stay, so that it can be tried again.
 */
export function logoutHandler(auth: Auth, options: LogoutHandlerOptions = {}): RequestHandler {
  return (req, res, next) => {
    endSession(auth, req, options).then(() => {
      clearAuthCookies(res, options);
      noStore(res);
      res.status(204).end();
    }).catch(failureOf(options, req, res, next));
  };
}

async function endSession(auth: Auth, req: Request, options: LogoutHandlerOptions): Promise<void> {
  try {
    await auth.logout(presentedRefreshToken(req, options));
  } catch (thrown) {
    // What is no refresh token of ours, or none at all, has no session: the user is logged out.
    if (thrown instanceof AuthError && (thrown.advice === 'sign_in' || thrown.advice === 'reject')) return;
    throw thrown;
  }
}
