/** The refresh endpoint (RFC 6749 §6, RFC 9700 §4.14.2). */
import type { RequestHandler } from 'express';
import type { Auth, ClaimsSource } from '../auth.cjs';
import { setRefreshCookie, type TransportOptions } from './cookies.cjs';
import { answerTokens } from './login.cjs';
import { presentedRefreshToken } from './presented.cjs';
import { failureOf, type ErrorOptions } from './respond.cjs';
import type { OriginOptions } from './same-site.cjs';

/** How the refresh endpoint takes and gives tokens. */
export interface RefreshHandlerOptions extends TransportOptions, OriginOptions, ErrorOptions {
  /** The app's own claims for the new access token. A refresh does not carry the old ones over. */
  claims?: ClaimsSource | undefined;
  /** Asks for a next refresh token, or for none, whatever the configuration says. */
  rotate?: boolean | undefined;
}

/**
 * Exchanges the refresh token of the request: `{ accessToken, expiresIn }` and the next refresh
 * token, as a cookie or with `cookie: false` as `refreshToken`. Mount it with `app.post`.
 *
 * With a cookie, requests of foreign pages are answered as if they had none (`isOwnPage`).
 */
export function refreshHandler(auth: Auth, options: RefreshHandlerOptions = {}): RequestHandler {
  const { claims, rotate } = options;
  return (req, res, next) => {
    auth.refresh(presentedRefreshToken(req, options), { claims, rotate }).then((renewed) => {
      if (renewed.rotated) setRefreshCookie(res, renewed, options);
      answerTokens(res, renewed, options);
    }).catch(failureOf(options, req, res, next));
  };
}
