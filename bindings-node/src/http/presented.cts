/** The refresh token that a request presents. */
import { refreshCookieName, type TransportOptions } from './cookies.cjs';
import { readCookie, type HttpRequest } from './request.cjs';
import { isOwnPage, type OriginOptions } from './same-site.cjs';

/**
 * The refresh token of the request: from the cookie, or with `cookie: false` from the JSON body,
 * which something must have parsed (`express.json()`). The cookie of a foreign page's request does not count.
 */
export function presentedRefreshToken(
  request: HttpRequest,
  options: TransportOptions & OriginOptions,
): string | undefined {
  const name = refreshCookieName(options);
  if (name !== undefined) return isOwnPage(request, options) ? readCookie(request, name) : undefined;
  const body = request.body as { refreshToken?: unknown } | null | undefined;
  return typeof body?.refreshToken === 'string' ? body.refreshToken : undefined;
}
