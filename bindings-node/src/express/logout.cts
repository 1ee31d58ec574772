/** The logout endpoint. */
import type { RequestHandler } from 'express';
import type { Auth } from '../auth.cjs';
import { endSession, type LogoutOptions } from '../http/tokens.cjs';
import { handler, type ErrorOptions } from './respond.cjs';

/** How logout finds the refresh token. */
export interface LogoutHandlerOptions extends LogoutOptions, ErrorOptions {}

/**
 * Revokes the session of the refresh token, removes the cookies and responds with 204, also if there is
 * no such session. If the store is unreachable it is an error and the cookies stay, so that the client
 * can retry.
 */
export function logoutHandler(auth: Auth, options: LogoutHandlerOptions = {}): RequestHandler {
  return handler((req) => endSession(auth, req, options), options);
}
