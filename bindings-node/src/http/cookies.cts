/** The cookies that carry tokens, as values of `Set-Cookie`. */
import { serialize, type SerializeOptions } from 'cookie';
import type { TokenPair } from '../tokens.cjs';

/** Where the tokens of an answer go. Login, refresh and logout need the same. */
export interface TransportOptions {
  /**
   * The refresh token's way: `true` (default) in the cookie `refreshToken`, text in a cookie of
   * that name, `false` in the JSON bodies of request and answer.
   */
  cookie?: boolean | string | undefined;
  /**
   * The path of the refresh cookie, default `/auth`: browsers send it to the routes below, and
   * so not with every request. Refresh and logout must be mounted there.
   */
  path?: string | undefined;
  /**
   * Whether the access token goes into a cookie too, besides the JSON answer: `true` in
   * `accessToken`, text in a cookie of that name. Default false.
   */
  accessCookie?: boolean | string | undefined;
  /** Whether cookies are sent over HTTPS alone; default true. Turn it off for plain HTTP only. */
  secure?: boolean | undefined;
  /** The domain of the cookies; default: the host that set them, without its subdomains. */
  domain?: string | undefined;
}

/** The default names. */
const ACCESS_COOKIE = 'accessToken';
const REFRESH_COOKIE = 'refreshToken';
const REFRESH_PATH = '/auth';

/** The name of the refresh cookie; `undefined` where the token is in the body. */
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
 * The refresh cookie: `HttpOnly`, `Secure`, `SameSite=Strict`, for its path, as long as the token lives. None with
 * `cookie: false`.
 */
export function refreshCookie(pair: TokenPair, options: TransportOptions): string[] {
  const name = refreshCookieName(options);
  return name ? [lasting(name, pair.refreshToken, pair.refreshExpiresIn, refreshAttributes(options))] : [];
}

/**
 * The access cookie: `HttpOnly`, `Secure`, `SameSite=Lax`, as long as the token lives. None without `accessCookie`.
 */
export function accessCookie(pair: TokenPair, options: TransportOptions): string[] {
  const name = accessCookieName(options);
  return name ? [lasting(name, pair.accessToken, pair.accessExpiresIn, accessAttributes(options))] : [];
}

/** What removes both cookies from the browser. */
export function clearedCookies(options: TransportOptions): string[] {
  const refresh = refreshCookieName(options);
  const access = accessCookieName(options);
  return [
    ...(refresh ? [removed(refresh, refreshAttributes(options))] : []),
    ...(access ? [removed(access, accessAttributes(options))] : []),
  ];
}

/** With `Expires` too, for clients that do not know `Max-Age`. */
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
