// The same objects as `require('regrant/express')` gives.
export {
  answerError,
  authOf,
  authenticate,
  clearAuthCookies,
  jwksHandler,
  loginResponse,
  logoutHandler,
  presets,
  proofOf,
  refreshHandler,
  sessionsHandler,
  setAccessCookie,
  setRefreshCookie,
} from './dist/express/index.cjs';
