// The same objects as `require('regrant/fastify')` gives.
export {
  answerError,
  authOf,
  authRoutes,
  authenticate,
  jwksHandler,
  loginReply,
  proofOf,
  requireClaims,
  requireScopes,
} from './dist/fastify/index.cjs';
