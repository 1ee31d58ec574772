/**
 * regrant for Express 4 and 5.
 *
 * @module regrant/express
 */

export {
  answerError,
  authOf,
  authenticate,
  clearAuthCookies,
  jwksHandler,
  loginResponse,
  logoutHandler,
  refreshHandler,
  sessionsHandler,
  setAccessCookie,
  setRefreshCookie,
} from './middleware.cjs';
export { proofOf } from '../http/request.cjs';
export * as presets from './presets.cjs';
export type {
  AuthedRequest,
  AuthenticateOptions,
  ErrorOptions,
  LogoutHandlerOptions,
  MiddlewareOptions,
  OnError,
  RefreshHandlerOptions,
  RequestAuth,
} from './middleware.cjs';
export type { TransportOptions } from '../http/cookies.cjs';
export type { AccessGuard, FetchingGuard, GuardBase, LocalGuard } from '../http/authenticate.cjs';
export type { JwksOptions, TokenAnswer } from '../http/endpoints.cjs';
export type {
  FailedApi,
  MessageStyle,
  RtVerifyAuthenticateOptions,
  RtVerifyError,
  RtVerifyOptions,
  RtVerifyPreset,
} from './rt-verify.cjs';
export type { OriginOptions } from '../http/request.cjs';
