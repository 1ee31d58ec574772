/** The answer to a login. */
import type { Response } from 'express';
import type { TokenPair } from '../tokens.cjs';
import { refreshCookieName, setAccessCookie, setRefreshCookie, type TransportOptions } from './cookies.cjs';
import { noStore } from './respond.cjs';

/** What clients are told, in the names of RFC 6749 §5.1 as JavaScript writes them. */
export interface TokenAnswer {
  accessToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
  /** Only with `cookie: false`. */
  refreshToken?: string;
}

/**
 * Answers with the pair: `{ accessToken, expiresIn }` and the refresh token as a cookie, or with
 * `cookie: false` as `refreshToken`. The status is what `res.status` was set to, else 200.
 */
export function loginResponse(res: Response, pair: TokenPair, options: TransportOptions = {}): void {
  setRefreshCookie(res, pair, options);
  answerTokens(res, pair, options);
}

/** The JSON answer of login and refresh, and the access cookie. */
export function answerTokens(res: Response, pair: TokenPair, options: TransportOptions): void {
  setAccessCookie(res, pair, options);
  noStore(res);
  const answer: TokenAnswer = { accessToken: pair.accessToken, expiresIn: pair.accessExpiresIn };
  if (refreshCookieName(options) === undefined) answer.refreshToken = pair.refreshToken;
  res.json(answer);
}
