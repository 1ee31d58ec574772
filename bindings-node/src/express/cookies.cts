/** Cookies on an Express response. */
import type { Response } from 'express';
import { accessCookie, clearedCookies, refreshCookie, type TransportOptions } from '../http/cookies.cjs';
import type { TokenPair } from '../tokens.cjs';
import { setCookies } from './respond.cjs';

/**
 * Sets the refresh cookie: `HttpOnly`, `Secure`, `SameSite=Strict`, for its path, with the lifetime of
 * the token. Does nothing with `cookie: false`.
 */
export function setRefreshCookie(res: Response, pair: TokenPair, options: TransportOptions = {}): void {
  setCookies(res, refreshCookie(pair, options));
}

/**
 * Sets the access cookie: `HttpOnly`, `Secure`, `SameSite=Lax`, with the lifetime of the token. Does
 * nothing without `accessCookie`.
 */
export function setAccessCookie(res: Response, pair: TokenPair, options: TransportOptions = {}): void {
  setCookies(res, accessCookie(pair, options));
}

/** Removes both cookies from the browser. */
export function clearAuthCookies(res: Response, options: TransportOptions = {}): void {
  setCookies(res, clearedCookies(options));
}
