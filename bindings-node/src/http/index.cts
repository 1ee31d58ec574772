/**
 * regrant for any HTTP framework: requests in, decisions and answers out, both plain data.
 *
 * @module regrant/http
 */

export { clientOf, proofOf, refusal, toResponse } from './request.cjs';
export { authenticate } from './authenticate.cjs';
export { requireClaims, requireFreshLogin, requireScopes } from './permission.cjs';
export { jwksAnswer, loginAnswer, logout, refresh, sessions } from './endpoints.cjs';
export { introspect, revoke, token } from './oauth.cjs';
export type { IntrospectionOptions, TokenOptions } from './oauth.cjs';
export type { HttpAnswer, HttpHeaders, HttpRequest } from './request.cjs';
export type {
  AccessOptions,
  AuthenticateOptions,
  Decision,
  UserOptions,
} from './authenticate.cjs';
export type { FreshLogin, Granted, Permission, RequiredClaims } from './permission.cjs';
export type { AccessGuard, Refused } from './guard.cjs';
export type { ClientOptions, JwksOptions, RefreshOptions, SessionsRequest, TokenAnswer } from './endpoints.cjs';
