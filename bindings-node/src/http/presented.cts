/** The refresh token of a request. */
import { refreshCookieName, type TransportOptions } from './cookies.cjs';
import { readCookie, type HttpRequest } from './request.cjs';
import { isOwnPage, type OriginOptions } from './same-site.cjs';

/**
 * The refresh token of the request: from the cookie, or with `cookie: false` from the parsed JSON body
 * (`express.json()`). The cookie of a cross-origin request is ignored.
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
