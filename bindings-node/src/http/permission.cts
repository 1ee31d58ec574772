/** What an access token must grant beyond being valid: scopes and claims. */
import { isPlain } from '../arguments.cjs';
import { isAuthError, Catalog } from '../catalog.cjs';
import type { VerifiedAccess } from '../claims.cjs';
import { catalogOf, checkHandlerOptions, errorChecks, refuseOptions, refused, webOf, type AccessGuard, type Refused } from './guard.cjs';

/** The claims that a token must have, each with its value, or an array that contains it. */
export type RequiredClaims = Readonly<Record<string, string | number | boolean | null>>;

/** Whether a token grants what a route needs. */
export type Permission = Granted | Refused;

/** A token that grants what a route needs. */
export interface Granted {
  /** The request may pass. */
  readonly ok: true;
}

/**
 * Decides whether an access token has all of `scopes` in its claim `scope` (RFC 9068 §2.2.3): names with spaces between
 * them, or an array. Without a token, or without the scopes, the answer is 401 or 403 (RFC 6750 §3.1).
 *
 * @param access - The `auth` of a {@link Decision}.
 */
export function requireScopes(auth: AccessGuard, access: VerifiedAccess | undefined, scopes: string | readonly string[]): Permission {
  webOf(auth);
  refuseOptions(arguments[3]);
  return permission(auth, access, requiredScopes(scopes));
}

/** As {@link requireScopes}, for claims of the app: `requireClaims(auth, access, { role: 'admin' })`. */
export function requireClaims(auth: AccessGuard, access: VerifiedAccess | undefined, claims: RequiredClaims): Permission {
  webOf(auth);
  refuseOptions(arguments[3]);
  return permission(auth, access, requiredClaims(claims));
}

/**
 * As {@link requireScopes}, for a recent login (RFC 9470): of at most `maxAge` seconds ago by the claim `auth_time`, which
 * the app gives to the session at its login. Others are 401 `insufficient_user_authentication`.
 *
 * ```ts
 * await auth.login(user, { claims: { auth_time: Math.floor(Date.now() / 1000) } });
 * ```
 */
export function requireFreshLogin(auth: AccessGuard, access: VerifiedAccess | undefined, { maxAge }: FreshLogin): Permission {
  webOf(auth);
  refuseOptions(arguments[3]);
  return permission(auth, access, freshLogin({ maxAge }));
}

function permission(auth: AccessGuard, access: VerifiedAccess | undefined, requirement: Requirement): Permission {
  try {
    checkRequirement(auth, access, requirement);
    return { ok: true };
  } catch (thrown) {
    // A defect of the program is not the client's.
    if (!isAuthError(thrown) || thrown.advice === 'fix') throw thrown;
    return refused(auth, thrown);
  }
}

/** What a route requires; the core has the same type. */
export interface Requirement {
  readonly scopes: string[];
  readonly claims: RequiredClaims;
  /** In seconds. */
  readonly maxLoginAge?: number;
}

/** How long ago a login may be. */
export interface FreshLogin {
  /** In seconds, at least 1. */
  readonly maxAge: number;
}

/** Requires a recent login. @throws AuthError `ERR_ARGUMENT_INVALID` */
export function freshLogin(options: FreshLogin): Requirement {
  const { maxAge, ...others } = (options ?? {}) as FreshLogin;
  refuseOptions(Object.keys(others).length > 0 ? others : undefined);
  const isAge = Number.isSafeInteger(maxAge) && maxAge >= 1 && maxAge < 2 ** 32;
  if (isAge) return { scopes: [], claims: {}, maxLoginAge: maxAge };
  throw new Catalog().argumentInvalid('maxAge', 'expected a whole number of seconds');
}

/** Requires one scope, or several. @throws AuthError `ERR_ARGUMENT_INVALID` for none. */
export function requiredScopes(scopes: string | readonly string[]): Requirement {
  const list: unknown[] = Array.isArray(scopes) ? [...scopes] : [scopes];
  const isScope = (scope: unknown) => typeof scope === 'string' && /^[!#-[\]-~]+$/.test(scope);
  if (list.length > 0 && list.every(isScope)) return { scopes: list as string[], claims: {} };
  throw new Catalog().argumentInvalid('scopes', 'expected the name of a scope, or an array of names');
}

/**
 * Requires claims.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID` for none, and for a value that no claim equals, such as `undefined`: the
 * route would be open to every token.
 */
export function requiredClaims(claims: RequiredClaims): Requirement {
  const isValue = (value: unknown) =>
    value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
  const required = isPlain(claims) ? Object.entries(claims) : [];
  if (required.length > 0 && required.every(([, value]) => isValue(value))) {
    // A copy. Not by assignment, which `__proto__` would escape.
    return { scopes: [], claims: Object.fromEntries(required) as RequiredClaims };
  }
  throw new Catalog().argumentInvalid('claims', 'expected an object with strings, numbers, booleans or null');
}

/** A request of a framework on which its middleware or hook set `auth`. */
interface GuardedRequest {
  readonly auth?: VerifiedAccess | undefined;
}

/**
 * The check that a framework's middleware or hook runs on each request.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID`. The check throws the refusal, and an Error for a route without `authenticate`.
 */
export function requestCheck(auth: AccessGuard, requirement: Requirement, options: object): (request: object) => void {
  webOf(auth);
  checkHandlerOptions(options, errorChecks, 'accessCookie');
  return (request) => {
    if (!('auth' in request)) throw new Error(NOT_AUTHENTICATED);
    checkRequirement(auth, (request as GuardedRequest).auth, requirement);
  };
}

/**
 * Returns the verified access token of a request whose type does not have `auth`.
 *
 * @throws Error if the request did not pass `authenticate`: a defect of the app's routes.
 */
export function authOf<T extends object = object>(request: object): VerifiedAccess<T> {
  const auth = (request as GuardedRequest | undefined)?.auth;
  if (auth === undefined) throw new Error(NOT_AUTHENTICATED);
  return auth as VerifiedAccess<T>;
}

const NOT_AUTHENTICATED = 'this route needs authenticate() before it';

/** @throws AuthError `ERR_INSUFFICIENT_SCOPE`, `ERR_LOGIN_TOO_OLD`, and `ERR_TOKEN_MISSING` without a token. */
function checkRequirement(auth: AccessGuard, access: VerifiedAccess | undefined, { scopes, claims, maxLoginAge }: Requirement): void {
  const catalog = catalogOf(auth);
  const { native } = webOf(auth);
  if (access === undefined) throw catalog.errorOf(native.tokenMissing());
  catalog.textOf(native.checkPermission(scopes, JSON.stringify(claims), maxLoginAge, claimsText(access)));
}

/** The claims of a token as JSON text. @throws AuthError `ERR_ARGUMENT_INVALID` for what is no verified token. */
function claimsText(access: VerifiedAccess): string {
  const claims: unknown = (access as VerifiedAccess | null)?.claims;
  try {
    if (typeof claims === 'object' && claims !== null) return JSON.stringify(claims);
  } catch {
    // The claims are none that a token contains.
  }
  throw new Catalog().argumentInvalid('access', 'expected what authenticate returned');
}
