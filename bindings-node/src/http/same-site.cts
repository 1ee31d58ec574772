/**
 * The origin check of requests that are authorised by a cookie (CSRF).
 *
 * `SameSite=Strict` keeps the refresh cookie out of cross-site requests, but a site is a whole registrable
 * domain, so a page on any subdomain passes. This check compares origins.
 */
import { header, type HttpRequest } from './request.cjs';

/** Which other origins may use the cookie. */
export interface OriginOptions {
  /**
   * Origins besides the server's own whose pages may use the cookie, such as `https://app.example.com`
   * for a server at `https://api.example.com`.
   */
  allowedOrigins?: readonly string[] | undefined;
}

/**
 * Browsers send the origin of a request in `Sec-Fetch-Site`, older ones in `Origin`; a page can forge
 * neither. A request with neither is not from a browser, so no cookie can be abused.
 */
export function isOwnPage(request: HttpRequest, { allowedOrigins = [] }: OriginOptions): boolean {
  const origin = header(request, 'origin');
  if (origin !== undefined && allowedOrigins.includes(origin)) return true;
  const site = header(request, 'sec-fetch-site');
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  return origin === undefined || hostOf(origin) === header(request, 'host');
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
