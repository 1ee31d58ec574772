// The same objects as `require('regrant/http')` gives.
export {
  authenticate,
  clientOf,
  introspect,
  jwksAnswer,
  loginAnswer,
  logout,
  proofOf,
  refresh,
  refusal,
  requireClaims,
  requireFreshLogin,
  requireScopes,
  revoke,
  sessions,
  toResponse,
  token,
} from './dist/http/index.cjs';
