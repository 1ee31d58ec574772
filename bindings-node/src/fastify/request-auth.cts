/** What `authenticate` leaves on a request. */
import type { FastifyRequest } from 'fastify';
import type { VerifiedAccess } from '../claims.cjs';

/** A request that passed `authenticate`. `T`: the app's own claims; `U`: the user that `loadUser` gave. */
export type AuthedRequest<T extends object = object, U = unknown> = FastifyRequest & {
  /** Who asks. */
  auth: VerifiedAccess<T>;
  /** What `loadUser` gave. */
  user: U;
};

/**
 * Who asks, for handlers whose request TypeScript knows as an ordinary one.
 *
 * @throws Error when the request did not pass `authenticate`: a defect of the app's routes.
 */
export function authOf<T extends object = object>(request: FastifyRequest): VerifiedAccess<T> {
  const { auth } = request as Partial<AuthedRequest<T>>;
  if (auth === undefined) throw new Error('this route needs authenticate() before it');
  return auth;
}
