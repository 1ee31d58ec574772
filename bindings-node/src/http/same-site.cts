/**
 * Whether a request comes from a page of this site, for requests that a cookie speaks for.
 *
 * `SameSite=Strict` keeps the refresh cookie out of other sites' requests, but a site is a whole
 * registrable domain: a page on any subdomain passes. This check holds to the origin.
 */
import { header, type HttpRequest } from './request.cjs';

/** Which other origins may use the cookie. */
export interface OriginOptions {
  /**
   * Origins beside the server's own whose pages may act by cookie, for example
   * `https://app.example.com` for a server at `https://api.example.com`.
   */
  allowedOrigins?: readonly string[] | undefined;
}

/**
 * Browsers say where a request comes from in `Sec-Fetch-Site`, older ones in `Origin`; a page can
 * forge neither. Requests with neither are not from a browser and no one's cookie is abused.
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
