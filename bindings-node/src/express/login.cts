/** The response to a login. */
import type { Response } from 'express';
import type { TransportOptions } from '../http/cookies.cjs';
import { loginAnswer } from '../http/tokens.cjs';
import type { TokenPair } from '../tokens.cjs';
import { send } from './respond.cjs';

/**
 * Sends the pair: `{ accessToken, expiresIn }` and the refresh token as a cookie, or with
 * `cookie: false` as `refreshToken`. The status is that of `res.status`, by default 200.
 */
export function loginResponse(res: Response, pair: TokenPair, options: TransportOptions = {}): void {
  send(res, { ...loginAnswer(pair, options), status: res.statusCode });
}
