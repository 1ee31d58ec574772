/** The result of `authenticate` on a request. */
import type { Request } from 'express';
import type { VerifiedAccess } from '../claims.cjs';

/** The verified access token. `T`: the app's own claims. */
export type RequestAuth<T extends object = object> = VerifiedAccess<T>;

/** A request that passed `authenticate`. */
export type AuthedRequest<T extends object = object> = Request & {
  /** The verified access token. */
  auth: RequestAuth<T>;
};

/**
 * Returns the verified access token of a request whose type does not have `auth`.
 *
 * @throws Error if the request did not pass `authenticate`: a defect of the app's routes.
 */
export function authOf<T extends object = object>(req: Request): RequestAuth<T> {
  const { auth } = req as Partial<AuthedRequest<T>>;
  if (auth === undefined) throw new Error('this route needs authenticate() before it');
  return auth;
}
