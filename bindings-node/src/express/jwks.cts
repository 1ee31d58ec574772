/** The route that publishes the public keys. */
import type { RequestHandler } from 'express';
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
export function jwksHandler(auth: Auth, options: JwksOptions = {}): RequestHandler {
  return (req, res) => send(res, jwksAnswer(auth, req, options));
}
