/** The route that publishes the public keys. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Auth } from '../auth.cjs';
import { jwksAnswer, type JwksOptions } from '../http/jwks.cjs';
import { send } from './respond.cjs';

/**
 * Publishes the public keys of access tokens (RFC 7517 §5), with cache headers:
 *
 * ```ts
 * app.get('/.well-known/jwks.json', jwksHandler(auth));
 * ```
 */
export function jwksHandler(
  auth: Auth,
  options: JwksOptions = {},
): (request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  return (request, reply) => send(reply, jwksAnswer(auth, request, options));
}
