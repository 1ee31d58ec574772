// The same objects as `require('regrant/fastify')` gives.
export {
  answerError,
  authOf,
  authRoutes,
  authenticate,
  clientOf,
  jwksHandler,
  loginReply,
  oauthRoutes,
  proofOf,
  requireClaims,
  requireFreshLogin,
  requireScopes,
} from './dist/fastify/index.cjs';
