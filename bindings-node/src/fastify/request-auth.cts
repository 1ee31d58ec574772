/** The result of `authenticate` on a request. */
import type { FastifyRequest } from 'fastify';
import type { VerifiedAccess } from '../claims.cjs';

/** A request that passed `authenticate`. `T`: the app's own claims; `U`: the user that `loadUser` returned. */
export type AuthedRequest<T extends object = object, U = unknown> = FastifyRequest & {
  /** The verified access token. */
  auth: VerifiedAccess<T>;
  /** The user that `loadUser` returned. */
  user: U;
};

/**
 * Returns the verified access token of a request whose type does not have `auth`.
 *
 * @throws Error if the request did not pass `authenticate`: a defect of the app's routes.
 */
export function authOf<T extends object = object>(request: FastifyRequest): VerifiedAccess<T> {
  const { auth } = request as Partial<AuthedRequest<T>>;
  if (auth === undefined) throw new Error('this route needs authenticate() before it');
  return auth;
}
