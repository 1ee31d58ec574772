/**
 * regrant for Fastify 5.
 *
 * @module regrant/fastify
 */
export { authenticate } from './authenticate.cjs';
export { jwksHandler } from './jwks.cjs';
export { authOf } from './request-auth.cjs';
export { answerError } from './respond.cjs';
export { authRoutes, loginReply } from './routes.cjs';
export { proofOf } from '../http/proof.cjs';
export type { AuthHook, AuthenticateOptions } from './authenticate.cjs';
export type { AuthedRequest } from './request-auth.cjs';
export type { ErrorOptions } from './respond.cjs';
export type { AuthRoutesOptions } from './routes.cjs';
export type { AccessOptions, UserOptions } from '../http/authenticate.cjs';
export type { TransportOptions } from '../http/cookies.cjs';
export type { AccessGuard, FetchingGuard, GuardBase, LocalGuard } from '../http/guard.cjs';
export type { JwksOptions } from '../http/jwks.cjs';
export type { OriginOptions } from '../http/same-site.cjs';
export type { RefreshOptions, TokenAnswer } from '../http/tokens.cjs';
