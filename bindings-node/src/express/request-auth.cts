/** What `authenticate` leaves on a request. */
import type { Request } from 'express';
import type { VerifiedAccess } from '../claims.cjs';

/** Who asks: the verified access token. `T`: the app's own claims. */
export type RequestAuth<T extends object = object> = VerifiedAccess<T>;

/** A request that passed `authenticate`. */
export type AuthedRequest<T extends object = object> = Request & {
  /** Who asks. */
  auth: RequestAuth<T>;
};

/**
 * Who asks, for handlers whose request TypeScript knows as an ordinary one.
 *
 * @throws Error when the request did not pass `authenticate`: a defect of the app's routes.
 */
export function authOf<T extends object = object>(req: Request): RequestAuth<T> {
  const { auth } = req as Partial<AuthedRequest<T>>;
  if (auth === undefined) throw new Error('this route needs authenticate() before it');
  return auth;
}
