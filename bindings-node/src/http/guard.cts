/** The objects that guard routes, and the options of handlers. */
import { checkOptions, type Checks } from '../arguments.cjs';
import { Auth, internalsOf } from '../auth.cjs';
import { Catalog } from '../catalog.cjs';
import { Verifier, verifierInternalsOf } from '../verifier.cjs';
import type { Web } from '../web.cjs';

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
