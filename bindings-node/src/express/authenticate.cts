/** The middleware in front of protected routes. */
import type { Request, RequestHandler } from 'express';
import type { Auth } from '../auth.cjs';
import type { VerifiedAccess } from '../claims.cjs';
import { readCookie } from './cookies.cjs';
import { gate, type GateOptions } from './gate.cjs';

/** Where the access token is and what is made of it. `T`: the app's own claims. */
export interface AuthenticateOptions<T extends object = object> extends GateOptions<T> {
  /** The header with `Bearer <token>`; default `authorization`. */
  header?: string | undefined;
  /** A cookie to read where the header is absent, with the token or `Bearer <token>`. */
  cookie?: string | undefined;
  /** Lets requests without a token pass, without `req.auth`. A bad token is refused all the same. */
  optional?: boolean | undefined;
}

/**
 * Lets a request pass whose access token is good, and sets `req.auth` (`AuthedRequest`). Looks at
 * the access token alone: no I/O but that of `loadUser`.
 */
export function authenticate<T extends object = object>(
  auth: Auth,
  options: AuthenticateOptions<T> = {},
): RequestHandler {
  return gate(auth, (req) => verifyRequest(auth, req, options), options);
}

function verifyRequest<T extends object>(
  auth: Auth,
  req: Request,
  { header = 'authorization', cookie, optional = false }: AuthenticateOptions<T>,
): VerifiedAccess<T> | undefined {
  const value = req.headers[header.toLowerCase()];
  if (typeof value === 'string') return auth.verifyBearer(value);
  const kept = cookie === undefined ? undefined : readCookie(req, cookie);
  if (kept === undefined && optional) return undefined;
  // A bare token has no blank in it, `Bearer <token>` has.
  return kept?.includes(' ') ? auth.verifyBearer(kept) : auth.verifyAccess(kept);
}
