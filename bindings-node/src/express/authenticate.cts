/** The middleware in front of protected routes. */
import type { Request, RequestHandler } from 'express';
import type { Auth, WhenStale } from '../auth.cjs';
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
  /** For routes that must know of logouts in other processes; default `open`: no I/O, ever. */
  whenStale?: WhenStale | undefined;
}

/**
 * Lets a request pass whose access token is good, and sets `req.auth` (`AuthedRequest`). Looks at
 * the access token alone: no I/O but that of `loadUser`, and of `whenStale` where it is given.
 */
export function authenticate<T extends object = object>(
  auth: Auth,
  options: AuthenticateOptions<T> = {},
): RequestHandler {
  const { whenStale = 'open' } = options;
  if (whenStale === 'open') return gate(auth, (req) => verifyRequest(auth, req, options), options);
  return gate(auth, async (req) => verifyFresh(auth, req, whenStale, options), options);
}

function verifyRequest<T extends object>(
  auth: Auth,
  req: Request,
  options: AuthenticateOptions<T>,
): VerifiedAccess<T> | undefined {
  const { value, bare } = presented(req, options);
  if (value === undefined && options.optional) return undefined;
  return bare ? auth.verifyAccess(value) : auth.verifyBearer(value);
}

async function verifyFresh<T extends object>(
  auth: Auth,
  req: Request,
  whenStale: WhenStale,
  options: AuthenticateOptions<T>,
): Promise<VerifiedAccess<T> | undefined> {
  const { value, bare } = presented(req, options);
  if (value === undefined && options.optional) return undefined;
  return auth.verifyFresh(bare ? value : auth.bearerToken(value), whenStale);
}

/** The value of the header, else of the cookie, and whether it is a token without a scheme. */
function presented<T extends object>(
  req: Request,
  { header = 'authorization', cookie }: AuthenticateOptions<T>,
): { value: string | undefined; bare: boolean } {
  const value = req.headers[header.toLowerCase()];
  if (typeof value === 'string') return { value, bare: false };
  const kept = cookie === undefined ? undefined : readCookie(req, cookie);
  // A bare token has no blank in it, `Bearer <token>` has.
  return { value: kept, bare: !kept?.includes(' ') };
}
