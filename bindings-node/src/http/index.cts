/**
 * regrant for any HTTP framework: requests in, decisions and answers out, both plain data.
 *
 * @module regrant/http
 */

export { proofOf, refusal, toResponse } from './request.cjs';
export { authenticate, requireClaims, requireScopes } from './authenticate.cjs';
export { jwksAnswer, loginAnswer, logout, refresh, sessions } from './endpoints.cjs';
export type { HttpAnswer, HttpHeaders, HttpRequest } from './request.cjs';
export type {
  AccessOptions,
  AuthenticateOptions,
  Decision,
  Granted,
  Permission,
  Refused,
  RequiredClaims,
  UserOptions,
} from './authenticate.cjs';
export type { AccessGuard } from './guard.cjs';
export type { JwksOptions, RefreshOptions, SessionsRequest, TokenAnswer } from './endpoints.cjs';
