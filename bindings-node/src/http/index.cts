/**
 * regrant for any HTTP framework: requests in, decisions and answers out, both plain data.
 *
 * @module regrant/http
 */
import type { Auth } from '../auth.cjs';
import type { VerifiedAccess } from '../claims.cjs';
import { toAnswer, type HttpAnswer } from './answer.cjs';
import type { HttpRequest } from './request.cjs';
import { listOrEnd, type SessionsRequest } from './sessions.cjs';
import { endSession, renew, type LogoutOptions, type RefreshOptions } from './tokens.cjs';

export { refusal, toResponse } from './answer.cjs';
export { authenticate } from './authenticate.cjs';
export { jwksAnswer } from './jwks.cjs';
export { proofOf } from './proof.cjs';
export { loginAnswer } from './tokens.cjs';
export type { HttpAnswer } from './answer.cjs';
export type { AccessOptions, AuthenticateOptions, Decision, UserOptions } from './authenticate.cjs';
export type { TransportOptions } from './cookies.cjs';
export type { AccessGuard, FetchingGuard, GuardBase, LocalGuard } from './guard.cjs';
export type { JwksOptions } from './jwks.cjs';
export type { HttpHeaders, HttpRequest } from './request.cjs';
export type { OriginOptions } from './same-site.cjs';
export type { SessionsRequest } from './sessions.cjs';
export type { LogoutOptions, RefreshOptions, TokenAnswer } from './tokens.cjs';

/**
 * The answer of the refresh endpoint: `{ accessToken, expiresIn }` and the next refresh token, as a
 * cookie or with `cookie: false` as `refreshToken`; or the answer to a refusal.
 *
 * @throws what `claims` throws, and nothing else.
 */
export function refresh(auth: Auth, request: HttpRequest, options: RefreshOptions = {}): Promise<HttpAnswer> {
  return toAnswer(renew(auth, request, options));
}

/**
 * The answer of the logout endpoint: 204, and the cookies removed; also when there was no session to
 * end. A store that does not answer is a refusal, and the cookies stay, so that it can be tried again.
 */
export function logout(auth: Auth, request: HttpRequest, options: LogoutOptions = {}): Promise<HttpAnswer> {
  return toAnswer(endSession(auth, request, options));
}

/**
 * The answer of the endpoint for the sessions of the user who asks:
 *
 * - `GET`: `{ sessions: [{ sessionId, device, createdAt, … }] }`, instants in ISO 8601.
 * - `DELETE` with a `sessionId`: ends that one; with `others`: all but the one that asks; without: all.
 *   `{ ended: number }`.
 *
 * @param access - Who asks: what {@link authenticate} gave.
 */
export function sessions(auth: Auth, access: VerifiedAccess, request: SessionsRequest): Promise<HttpAnswer> {
  return toAnswer(listOrEnd(auth, access, request));
}
