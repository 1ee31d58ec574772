/** The cookies that carry tokens: written to responses, read from requests. */
import { serialize, type SerializeOptions } from 'cookie';
import { isOwnPage, readCookie, type HttpRequest, type OriginOptions } from './request.cjs';
import type { TokenPair } from '../session.cjs';

/** How tokens are transported. Login, refresh and logout need the same options. */
export interface TransportOptions {
  /**
   * The refresh cookie: `true` (default) for a cookie `refreshToken`, a string for a cookie of that
   * name, `false` to transport the refresh token in the JSON bodies of request and response instead.
   */
  cookie?: boolean | string | undefined;
  /**
   * The path of the refresh cookie, by default `/auth`. Browsers send it to routes below that path only.
   * Refresh and logout must be mounted there.
   */
  path?: string | undefined;
  /**
   * The access cookie, in addition to the JSON response: `true` for a cookie `accessToken`, a string for
   * a cookie of that name, `false` (default) for none.
   */
  accessCookie?: boolean | string | undefined;
  /** Whether cookies are sent over HTTPS only; default `true`. Turn it off for plain HTTP only. */
  secure?: boolean | undefined;
  /** The domain of the cookies; default: the host that set them, without its subdomains. */
  domain?: string | undefined;
}

const ACCESS_COOKIE = 'accessToken';
const REFRESH_COOKIE = 'refreshToken';
const REFRESH_PATH = '/auth';

/** The name of the refresh cookie; `undefined` if the token is in the body. */
export function refreshCookieName({ cookie = true }: TransportOptions): string | undefined {
  return named(cookie, REFRESH_COOKIE);
}

function accessCookieName({ accessCookie = false }: TransportOptions): string | undefined {
  return named(accessCookie, ACCESS_COOKIE);
}

function named(option: boolean | string, usual: string): string | undefined {
  return typeof option === 'string' ? option : option ? usual : undefined;
}

/**
 * The refresh cookie: `HttpOnly`, `Secure`, `SameSite=Strict`, for its path, with the lifetime of the token. None
 * with `cookie: false`.
 */
export function refreshCookie(pair: TokenPair, options: TransportOptions): string[] {
  const name = refreshCookieName(options);
  return name ? [lasting(name, pair.refreshToken, pair.refreshExpiresIn, refreshAttributes(options))] : [];
}

/**
 * The access cookie: `HttpOnly`, `Secure`, `SameSite=Lax`, with the lifetime of the token. None without
 * `accessCookie`.
 */
export function accessCookie(pair: TokenPair, options: TransportOptions): string[] {
  const name = accessCookieName(options);
  return name ? [lasting(name, pair.accessToken, pair.accessExpiresIn, accessAttributes(options))] : [];
}

/** Removes both cookies from the browser. */
export function clearedCookies(options: TransportOptions): string[] {
  const refresh = refreshCookieName(options);
  const access = accessCookieName(options);
  return [
    ...(refresh ? [removed(refresh, refreshAttributes(options))] : []),
    ...(access ? [removed(access, accessAttributes(options))] : []),
  ];
}

/** With `Expires` too, for clients that do not support `Max-Age`. */
function lasting(name: string, value: string, maxAge: number, attributes: SerializeOptions): string {
  return serialize(name, value, { ...attributes, maxAge, expires: new Date(Date.now() + maxAge * 1000) });
}

function removed(name: string, attributes: SerializeOptions): string {
  return serialize(name, '', { ...attributes, expires: new Date(0) });
}

function refreshAttributes(options: TransportOptions): SerializeOptions {
  return { ...sharedAttributes(options), sameSite: 'strict', path: options.path ?? REFRESH_PATH };
}

function accessAttributes(options: TransportOptions): SerializeOptions {
  return { ...sharedAttributes(options), sameSite: 'lax', path: '/' };
}

function sharedAttributes({ secure = true, domain }: TransportOptions): SerializeOptions {
  return { httpOnly: true, secure, ...(domain === undefined ? {} : { domain }) };
}

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
