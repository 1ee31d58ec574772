/** The objects that guard routes, their refusals, and the options of handlers. */
import { checkOptions, isFunction, type Checks } from '../arguments.cjs';
import { Auth, internalsOf } from '../auth.cjs';
import { Catalog, type AuthError } from '../catalog.cjs';
import { Verifier, verifierInternalsOf } from '../verifier.cjs';
import type { Web } from '../web.cjs';
import { refusal, type HttpAnswer } from './request.cjs';

/** An auth object, or a verifier of other services' tokens. */
export type AccessGuard = Auth | Verifier;

/**
 * How tokens travel: the `web` of the guard's configuration.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID` for what is neither an auth object nor a verifier.
 */
export function webOf(guard: AccessGuard): Web {
  if (guard instanceof Auth) return internalsOf(guard).web;
  if (guard instanceof Verifier) return verifierInternalsOf(guard).web;
  throw new Catalog().argumentInvalid('auth', 'expected an object of createAuth or createVerifier');
}

/** The error messages of a guard. */
export function catalogOf(guard: AccessGuard): Catalog {
  return guard instanceof Verifier ? verifierInternalsOf(guard).catalog : internalsOf(guard).catalog;
}

/** A request that may not pass. */
export interface Refused {
  /** The request is refused. */
  readonly ok: false;
  /** Why not. */
  readonly error: AuthError;
  /** The response to send. For a CORS preflight it allows or refuses the origin. */
  readonly answer: HttpAnswer;
}

/** The refusal of a request for `error`. */
export function refused(guard: AccessGuard, error: AuthError): Refused {
  addNonce(guard, error);
  return { ok: false, error, answer: refusal(error) };
}

/** Adds the nonce that the next proof needs (RFC 9449 §8.2) to an error. */
export function addNonce(guard: AccessGuard, error: AuthError): void {
  if (guard instanceof Verifier || !guard.checksProofs) return;
  const { proofNonce } = guard;
  if (proofNonce === null || 'DPoP-Nonce' in error.headers) return;
  Object.assign(error, { headers: { ...error.headers, 'DPoP-Nonce': proofNonce } });
}

/** @throws AuthError `ERR_ARGUMENT_INVALID` for what is no auth object. */
export function checkAuth(auth: Auth): void {
  if (!(auth instanceof Auth)) throw new Catalog().argumentInvalid('auth', 'expected an object of createAuth');
}

/** The options of `web` by the names that an app may look for among those of a handler. */
const WEB_OPTIONS: Readonly<Record<string, string>> = {
  access: 'accessHeader and web.accessCookie',
  accessCookie: 'accessCookie',
  accessHeader: 'accessHeader',
  allowedOrigins: 'allowedOrigins',
  domain: 'domain',
  header: 'accessHeader',
  path: 'path',
  refreshCookie: 'refreshCookie',
  secure: 'secure',
};

/** The option of all routes of a framework: how errors are sent. */
export const errorChecks: Checks<{ onError?: unknown }> = { onError: isFunction };

/**
 * Checks the options of a handler.
 *
 * @param cookie - What `cookie` would be here.
 * @throws AuthError `ERR_ARGUMENT_INVALID`
 */
export function checkHandlerOptions<T extends object>(
  options: T,
  checks: Checks<T>,
  cookie: 'refreshCookie' | 'accessCookie',
): void {
  const catalog = new Catalog();
  for (const name of Object.keys(options ?? {})) {
    const option = name === 'cookie' ? cookie : Object.hasOwn(WEB_OPTIONS, name) && WEB_OPTIONS[name];
    if (option && !Object.hasOwn(checks, name)) {
      throw catalog.argumentInvalid(name, `is set once for all handlers, with web.${option} of createAuth or createVerifier`);
    }
  }
  checkOptions(options, checks, catalog);
}

/**
 * Refuses options where a function takes none: they would be ignored.
 *
 * @param options - The argument after the last one.
 * @throws AuthError `ERR_ARGUMENT_INVALID`
 */
export function refuseOptions(options: unknown): void {
  if (options !== undefined) checkHandlerOptions(options as object, {}, 'refreshCookie');
}
