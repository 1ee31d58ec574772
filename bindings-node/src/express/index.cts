/**
 * regrant for Express 4 and 5.
 *
 * @module regrant/express
 */

export {
  answerError,
  authErrorHandler,
  authRouter,
  authenticate,
  clearAuthCookies,
  jwksHandler,
  loginResponse,
  logoutHandler,
  oauthRouter,
  refreshHandler,
  requireClaims,
  requireFreshLogin,
  requireScopes,
  sessionsHandler,
  setAccessCookie,
  setRefreshCookie,
} from './middleware.cjs';
export { authOf } from '../http/permission.cjs';
export { clientOf, proofOf } from '../http/request.cjs';
export * as presets from './presets.cjs';
export type {
  AuthedRequest,
  AuthenticateOptions,
  ErrorOptions,
  Middleware,
  MiddlewareOptions,
  OAuthRouterOptions,
  OnError,
  RefreshHandlerOptions,
  RequestAuth,
} from './middleware.cjs';
export type { AccessGuard } from '../http/guard.cjs';
export type { FreshLogin, RequiredClaims } from '../http/permission.cjs';
export type { ClientOptions, JwksOptions, TokenAnswer } from '../http/endpoints.cjs';
export type {
  FailedApi,
  MessageStyle,
  RtVerifyAuthenticateOptions,
  RtVerifyError,
  RtVerifyOptions,
  RtVerifyPreset,
} from './rt-verify.cjs';
