// The same objects as `require('regrant/http')` gives.
export {
  authenticate,
  jwksAnswer,
  loginAnswer,
  logout,
  proofOf,
  refresh,
  refusal,
  requireClaims,
  requireScopes,
  sessions,
  toResponse,
} from './dist/http/index.cjs';
