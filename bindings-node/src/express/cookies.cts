/** The cookies: how tokens are put into them and read from them. */
import type { CookieOptions, Request, Response } from 'express';
import { parse } from 'cookie';
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
 * Sets the refresh cookie: `HttpOnly`, `Secure`, `SameSite=Strict`, for its path, as long as the
 * token lives. Does nothing with `cookie: false`.
 */
export function setRefreshCookie(res: Response, pair: TokenPair, options: TransportOptions = {}): void {
  const name = refreshCookieName(options);
  const maxAge = pair.refreshExpiresIn * 1000;
  if (name) res.cookie(name, pair.refreshToken, { ...refreshAttributes(options), maxAge });
}

/**
 * Sets the access cookie: `HttpOnly`, `Secure`, `SameSite=Lax`, as long as the token lives. Does
 * nothing without `accessCookie`.
 */
export function setAccessCookie(res: Response, pair: TokenPair, options: TransportOptions = {}): void {
  const name = accessCookieName(options);
  const maxAge = pair.accessExpiresIn * 1000;
  if (name) res.cookie(name, pair.accessToken, { ...accessAttributes(options), maxAge });
}

/** Removes both cookies from the browser. */
export function clearAuthCookies(res: Response, options: TransportOptions = {}): void {
  const refresh = refreshCookieName(options);
  const access = accessCookieName(options);
  if (refresh) res.clearCookie(refresh, refreshAttributes(options));
  if (access) res.clearCookie(access, accessAttributes(options));
}

function refreshAttributes(options: TransportOptions): CookieOptions {
  return { ...sharedAttributes(options), sameSite: 'strict', path: options.path ?? REFRESH_PATH };
}

function accessAttributes(options: TransportOptions): CookieOptions {
  return { ...sharedAttributes(options), sameSite: 'lax', path: '/' };
}

function sharedAttributes({ secure = true, domain }: TransportOptions): CookieOptions {
  return { httpOnly: true, secure, ...(domain === undefined ? {} : { domain }) };
}

/** The value of a cookie: as cookie-parser read it if that ran, else from the header. */
export function readCookie(req: Request, name: string): string | undefined {
  const parsed = req.cookies as Record<string, unknown> | undefined;
  const value = parsed ? parsed[name] : parse(req.headers.cookie ?? '')[name];
  return typeof value === 'string' ? value : undefined;
}
