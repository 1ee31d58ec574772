/** The answer to a login. */
import type { Response } from 'express';
import type { TransportOptions } from '../http/cookies.cjs';
import { loginAnswer } from '../http/tokens.cjs';
import type { TokenPair } from '../tokens.cjs';
import { send } from './respond.cjs';

/**
 * Answers with the pair: `{ accessToken, expiresIn }` and the refresh token as a cookie, or with
 * `cookie: false` as `refreshToken`. The status is what `res.status` was set to, else 200.
 */
export function loginResponse(res: Response, pair: TokenPair, options: TransportOptions = {}): void {
  send(res, { ...loginAnswer(pair, options), status: res.statusCode });
}
