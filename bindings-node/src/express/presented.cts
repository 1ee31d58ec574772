/** The refresh token that a request presents. */
import type { Request } from 'express';
import { readCookie, refreshCookieName, type TransportOptions } from './cookies.cjs';
import { isOwnPage, type OriginOptions } from './same-site.cjs';

/**
 * The refresh token of the request: from the cookie, or with `cookie: false` from the JSON body
 * (`express.json()` must have run). The cookie of a foreign page's request does not count.
 */
export function presentedRefreshToken(
  req: Request,
  options: TransportOptions & OriginOptions,
): string | undefined {
  const name = refreshCookieName(options);
  if (name !== undefined) return isOwnPage(req, options) ? readCookie(req, name) : undefined;
  const body = req.body as { refreshToken?: unknown } | undefined;
  return typeof body?.refreshToken === 'string' ? body.refreshToken : undefined;
}
