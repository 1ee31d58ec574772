/** The end of the session that a request's refresh token belongs to. */
import type { RequestHandler } from 'express';
import type { Auth } from '../auth.cjs';
import { endSession, type LogoutOptions } from '../http/tokens.cjs';
import { handler, type ErrorOptions } from './respond.cjs';

/** How logout finds the refresh token. */
export interface LogoutHandlerOptions extends LogoutOptions, ErrorOptions {}

/**
 * Ends the session, removes the cookies and answers 204; also when there was no session to end.
 * A store that does not answer is an error, and the cookies stay, so that it can be tried again.
 */
export function logoutHandler(auth: Auth, options: LogoutHandlerOptions = {}): RequestHandler {
  return handler((req) => endSession(auth, req, options), options);
}
