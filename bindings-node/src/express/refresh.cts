/** The refresh endpoint (RFC 6749 §6, RFC 9700 §4.14.2). */
import type { RequestHandler } from 'express';
import type { Auth } from '../auth.cjs';
import { renew, type RefreshOptions } from '../http/tokens.cjs';
import { handler, type ErrorOptions } from './respond.cjs';

/** The options of the refresh endpoint. */
export interface RefreshHandlerOptions extends RefreshOptions, ErrorOptions {}

/**
 * Exchanges the refresh token of the request for `{ accessToken, expiresIn }` and the next refresh
 * token, as a cookie or with `cookie: false` as `refreshToken`. Mount it with `app.post`.
 *
 * The cookie of a cross-origin request is ignored.
 */
export function refreshHandler(auth: Auth, options: RefreshHandlerOptions = {}): RequestHandler {
  return handler((req) => renew(auth, req, options), options);
}
