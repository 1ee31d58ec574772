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
  AccessGuard,
  AccessOptions,
  AuthenticateOptions,
  Decision,
  FetchingGuard,
  Granted,
  GuardBase,
  LocalGuard,
  Permission,
  Refused,
  RequiredClaims,
  UserOptions,
} from './authenticate.cjs';
export type { OriginOptions, TransportOptions } from './web.cjs';
export type { JwksOptions, LogoutOptions, RefreshOptions, SessionsRequest, TokenAnswer } from './endpoints.cjs';
