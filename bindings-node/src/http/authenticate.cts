/** Authenticates a request: verifies its access token and loads the user. */
import { internalsOf, type WhenStale } from '../auth.cjs';
import { checkPermission } from '../../native.cjs';
import { isFlag, isFunction, isPlain, isText, type Check, type Checks } from '../arguments.cjs';
import { isAuthError, Catalog, type AuthError } from '../catalog.cjs';
import type { AccessClaims, VerifiedAccess } from '../claims.cjs';
import { Verifier, verifierInternalsOf } from '../verifier.cjs';
import type { Web } from '../web.cjs';
import { checkHandlerOptions, refuseOptions, webOf, type AccessGuard } from './guard.cjs';
import type { RequestProof } from '../session.cjs';
import { appError, checkRequest, header, headOf, isRepeated, parseAnswer, proofOf, refusal, type HttpAnswer, type HttpRequest } from './request.cjs';

/**
 * Which requests may pass. The access token is read from the header `web.accessHeader` of the configuration, else from
 * the cookie `web.accessCookie`. Browsers send a cookie with requests that other sites' pages make; it is therefore
 * ignored in one that may change something (any method but `GET`, `HEAD` and `OPTIONS`, or an upgrade to a WebSocket)
 * and comes from a page of neither this server nor `web.allowedOrigins`.
 */
export interface AccessOptions {
  /** Lets requests without a token pass. A bad token is refused all the same. */
  optional?: boolean | undefined;
  /** What happens while logouts in other processes may be unknown, see {@link WhenStale}; default `open`: no I/O, ever. */
  whenStale?: WhenStale | undefined;
}

/** What happens once the token is verified. `T`: the app's own claims; `R`: the framework's request. */
export interface UserOptions<T extends object = object, R = HttpRequest> {
  /** The claim that `loadUser` gets, a string or a number as it was signed. Default: the subject, as a string. */
  subjectClaim?: string | undefined;
  /**
   * Loads the user. No user (`null`, `undefined`, and `false`, as in `!user.banned && user`) is refused as an unknown
   * session; what it throws is the app's.
   */
  loadUser?: ((subject: any, claims: AccessClaims & T, request: R) => unknown) | undefined;
}

/** What {@link authenticate} takes. */
export interface AuthenticateOptions<T extends object = object, R = HttpRequest>
  extends AccessOptions, UserOptions<T, R> {}

/** Whether a request may pass. */
export type Decision<T extends object = object> =
  | {
    /** The request may pass. */
    readonly ok: true;
    /** The verified token; absent for an anonymous request (`optional`). */
    readonly auth?: VerifiedAccess<T>;
    /** What `loadUser` gave. */
    readonly user?: unknown;
  }
  | Refused;

/** A request that may not pass. */
export interface Refused {
  /** The request is refused. */
  readonly ok: false;
  /** Why not. */
  readonly error: AuthError;
  /** The response to send. For a CORS preflight it allows or refuses the origin. */
  readonly answer: HttpAnswer;
}

/**
 * Decides whether a request may pass. It waits for nothing but `loadUser`, the store where `whenStale` asks it, and the
 * keys of a verifier.
 *
 * ```ts
 * const decision = await authenticate(auth, request);
 * if (!decision.ok) return toResponse(decision.answer);
 * ```
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID` for unfit arguments; and what `loadUser` throws, unless that is an AuthError,
 * which refuses the request.
 */
export async function authenticate<T extends object = object, R extends HttpRequest = HttpRequest>(
  auth: AccessGuard,
  request: R,
  options: AuthenticateOptions<T, R> = NO_OPTIONS,
): Promise<Decision<T>> {
  const web = webOf(auth);
  checkRequest(request);
  if (checkedFor.get(options) !== auth) checkAccessOptions(auth, options);
  checkedFor.set(options, auth);
  try {
    const preflight = preflightAnswer(request, web);
    if (preflight) return { ok: false, error: auth.error('ERR_TOKEN_MISSING'), answer: preflight };
    const access = await accessOf<T>(auth, web, request, options);
    if (access === undefined) return { ok: true };
    if (!options.loadUser) return { ok: true, auth: access };
    return { ok: true, auth: access, user: await userOf(auth, access, request, options) };
  } catch (thrown) {
    if (!isAuthError(thrown)) throw appError(thrown);
    return refused(auth, thrown);
  }
}

const NO_OPTIONS = {};

/** The guard that options were last checked for, because {@link authenticate} gets them with every request. */
const checkedFor = new WeakMap<object, AccessGuard>();

const isWhenStale: Check = {
  accepts: (value) => value === 'open' || value === 'ask' || value === 'closed',
  expected: 'open, ask or closed',
};

const accessChecks: Checks<AuthenticateOptions> = {
  optional: isFlag,
  whenStale: isWhenStale,
  subjectClaim: isText,
  loadUser: isFunction,
};

/**
 * Checks the options of a guard.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID`
 */
export function checkAccessOptions<T extends object, R, M extends object>(
  auth: AccessGuard,
  options: AuthenticateOptions<T, R>,
  more?: Checks<M>,
): void {
  checkHandlerOptions<object>(options, { ...accessChecks, ...more }, 'accessCookie');
  const { whenStale = 'open' } = options;
  if (auth instanceof Verifier && whenStale !== 'open') {
    throw new Catalog().argumentInvalid('whenStale', 'a verifier cannot know of logouts');
  }
}

/**
 * The answer to a CORS preflight; `undefined` for every other request. A preflight has no credentials and must not
 * reach a protected route.
 */
export function preflightAnswer(request: HttpRequest, web: Web): HttpAnswer | undefined {
  if (request.method !== 'OPTIONS') return undefined;
  const text = web.native.preflight(headOf(request, web));
  return text === null ? undefined : parseAnswer(text);
}

/** Whether `value` is `Bearer`, a space, and the beginning of a token. */
function isBearer(value: string): boolean {
  // Nearly all clients write it so, and a comparison takes less time than a regular expression.
  return value.startsWith('Bearer ') ? value.charCodeAt(7) > 0x20 : /^bearer [^ \t]/i.test(value);
}

/**
 * The verified access token of a request; `undefined` for one that may pass without. A promise
 * only where the store or keys may have to be asked, because a promise costs more than the verification.
 *
 * @param web - That of `auth`.
 * @throws AuthError
 */
export function accessOf<T extends object>(
  auth: AccessGuard,
  web: Web,
  request: HttpRequest,
  { optional = false, whenStale = 'open' }: AccessOptions,
): VerifiedAccess<T> | undefined | Promise<VerifiedAccess<T>> {
  const value = header(request, web.accessHeader);
  // The usual case goes to the verifier in one native call.
  if (value !== undefined && whenStale === 'open' && isBearer(value) && !isRepeated(request, web.accessHeader)) {
    return auth instanceof Verifier ? auth.verifyBearerAsync<T>(value) : auth.verifyBearer<T>(value);
  }
  const head = headOf(request, web);
  const presented = catalogOf(auth).textOf(web.native.present(head, optional));
  if (presented === '') return undefined;
  const { scheme, tokens } = JSON.parse(presented) as { scheme: 'bearer' | 'dpop'; tokens: [string, ...string[]] };
  const [first, ...others] = tokens;
  if (auth instanceof Verifier) {
    if (scheme === 'dpop') return auth.verifyWithProofAsync<T>(first, proofIn(auth, request));
    if (others.length === 0) return auth.verifyAccessAsync<T>(first);
    const chosen = verifierInternalsOf(auth).native.chooseAccess(head, tokens);
    return chosen.then((outcome) => auth.verifyAccessAsync<T>(catalogOf(auth).textOf(outcome)));
  }
  const proof = scheme === 'dpop' ? proofIn(auth, request) : undefined;
  const token = others.length === 0 ? first : catalogOf(auth).textOf(internalsOf(auth).native.chooseAccess(head, tokens));
  if (whenStale !== 'open') return auth.verifyChecked<T>(token, whenStale, proof);
  return proof === undefined ? auth.verifyAccess<T>(token) : auth.verifyWithProof<T>(token, proof);
}

/** @throws AuthError `ERR_DPOP_PROOF_MISSING` */
function proofIn(auth: AccessGuard, request: HttpRequest): RequestProof {
  const proof = auth.checksProofs ? proofOf(request) : undefined;
  if (proof === undefined) throw auth.error('ERR_DPOP_PROOF_MISSING');
  return proof;
}

function catalogOf(auth: AccessGuard): Catalog {
  return auth instanceof Verifier ? verifierInternalsOf(auth).catalog : internalsOf(auth).catalog;
}

/** Adds the nonce that the next proof needs (RFC 9449 §8.2) to an error. */
export function addNonce(auth: AccessGuard, error: AuthError): void {
  if (auth instanceof Verifier || !auth.checksProofs) return;
  const { proofNonce } = auth;
  if (proofNonce === null || 'DPoP-Nonce' in error.headers) return;
  Object.assign(error, { headers: { ...error.headers, 'DPoP-Nonce': proofNonce } });
}

/**
 * The user of a verified token, who must be there.
 *
 * @throws AuthError `ERR_SESSION_UNKNOWN`, `ERR_CLAIM_MISSING`; and what `loadUser` throws.
 */
export async function userOf<T extends object, R>(
  auth: AccessGuard,
  { subject, claims }: VerifiedAccess<T>,
  request: R,
  { loadUser, subjectClaim }: UserOptions<T, R>,
): Promise<unknown> {
  const id = subjectClaim === undefined ? subject : claimOf(auth, claims, subjectClaim);
  const user: unknown = await loadUser?.(id, claims, request);
  if (user === null || user === undefined || user === false) {
    throw auth.error('ERR_SESSION_UNKNOWN', { detail: 'no such user' });
  }
  return user;
}

function claimOf(auth: AccessGuard, claims: AccessClaims, name: string): string | number {
  const value = claims[name];
  if (typeof value === 'string' || typeof value === 'number') return value;
  throw auth.error('ERR_CLAIM_MISSING', { detail: name });
}

/** The claims that a token must have, each with its value, or an array that contains it. */
export type RequiredClaims = Readonly<Record<string, string | number | boolean | null>>;

/** The message of the error for a route that was mounted without {@link authenticate}. */
export const NOT_AUTHENTICATED = 'this route needs authenticate() before it';

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
  const all = scopesOf(scopes);
  return permission(auth, () => checkPermitted(auth, access, all, {}));
}

/** As {@link requireScopes}, for claims of the app: `requireClaims(auth, access, { role: 'admin' })`. */
export function requireClaims(auth: AccessGuard, access: VerifiedAccess | undefined, claims: RequiredClaims): Permission {
  webOf(auth);
  refuseOptions(arguments[3]);
  const all = claimsOf(claims);
  return permission(auth, () => checkPermitted(auth, access, [], all));
}

function permission(auth: AccessGuard, check: () => void): Permission {
  try {
    check();
    return { ok: true };
  } catch (thrown) {
    // A defect of the program is not the client's.
    if (!isAuthError(thrown) || thrown.advice === 'fix') throw thrown;
    return refused(auth, thrown);
  }
}

function refused(auth: AccessGuard, error: AuthError): Refused {
  addNonce(auth, error);
  return { ok: false, error, answer: refusal(error) };
}

/** One scope, or several. @throws AuthError `ERR_ARGUMENT_INVALID` for none. */
export function scopesOf(scopes: string | readonly string[]): string[] {
  const list: unknown[] = Array.isArray(scopes) ? [...scopes] : [scopes];
  const isScope = (scope: unknown) => typeof scope === 'string' && /^[!#-[\]-~]+$/.test(scope);
  if (list.length > 0 && list.every(isScope)) return list as string[];
  throw new Catalog().argumentInvalid('scopes', 'expected the name of a scope, or an array of names');
}

/**
 * A copy of the required claims.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID` for none, and for a value that no claim equals, such as `undefined`: the
 * route would be open to every token.
 */
export function claimsOf(claims: RequiredClaims): RequiredClaims {
  const isValue = (value: unknown) =>
    value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
  const required = isPlain(claims) ? Object.entries(claims) : [];
  if (required.length > 0 && required.every(([, value]) => isValue(value))) {
    // Not by assignment, which `__proto__` would escape.
    return Object.fromEntries(required) as RequiredClaims;
  }
  throw new Catalog().argumentInvalid('claims', 'expected an object with strings, numbers, booleans or null');
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

/** @throws AuthError `ERR_INSUFFICIENT_SCOPE`, and `ERR_TOKEN_MISSING` without a token. */
export function checkPermitted(
  auth: AccessGuard,
  access: VerifiedAccess | undefined,
  scopes: string[],
  claims: RequiredClaims,
): void {
  const catalog = catalogOf(auth);
  if (access === undefined) throw catalog.errorOf(webOf(auth).native.tokenMissing());
  catalog.textOf(checkPermission(scopes, JSON.stringify(claims), claimsText(access)));
}
