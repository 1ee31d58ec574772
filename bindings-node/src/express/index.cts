/**
 * regrant for Express 4 and 5.
 *
 * @module regrant/express
 */
export { authenticate } from './authenticate.cjs';
export { clearAuthCookies, setAccessCookie, setRefreshCookie } from './cookies.cjs';
export { jwksHandler } from './jwks.cjs';
export { loginResponse } from './login.cjs';
export { logoutHandler } from './logout.cjs';
export { refreshHandler } from './refresh.cjs';
export { proofOf } from '../http/proof.cjs';
export { authOf } from './request-auth.cjs';
export { answerError } from './respond.cjs';
export { sessionsHandler } from './sessions.cjs';
export * as presets from './presets/index.cjs';
export type { AuthenticateOptions } from './authenticate.cjs';
export type { TransportOptions } from '../http/cookies.cjs';
export type { AccessGuard, FetchingGuard, GuardBase, LocalGuard } from '../http/guard.cjs';
export type { JwksOptions } from '../http/jwks.cjs';
export type { MiddlewareOptions } from './middleware.cjs';
export type { TokenAnswer } from '../http/tokens.cjs';
export type { LogoutHandlerOptions } from './logout.cjs';
export type { MessageStyle, RtVerifyError } from './presets/rt-verify-error.cjs';
export type {
  FailedApi,
  RtVerifyAuthenticateOptions,
  RtVerifyOptions,
  RtVerifyPreset,
} from './presets/rt-verify.cjs';
export type { RefreshHandlerOptions } from './refresh.cjs';
export type { AuthedRequest, RequestAuth } from './request-auth.cjs';
export type { ErrorOptions, OnError } from './respond.cjs';
export type { OriginOptions } from '../http/same-site.cjs';
