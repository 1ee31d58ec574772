/** Authenticates a request: verifies its access token and loads the user. */
import { internalsOf, type WhenStale } from '../auth.cjs';
import { isFlag, isFunction, isText, type Check, type Checks } from '../arguments.cjs';
import { isAuthError, Catalog } from '../catalog.cjs';
import type { AccessClaims, VerifiedAccess } from '../claims.cjs';
import { Verifier, verifierInternalsOf } from '../verifier.cjs';
import type { Web } from '../web.cjs';
import { catalogOf, checkHandlerOptions, errorChecks, refused, webOf, type AccessGuard, type Refused } from './guard.cjs';
import type { RequestProof } from '../session.cjs';
import { appError, checkRequest, header, headOf, isRepeated, parseAnswer, proofOf, type HttpAnswer, type HttpRequest } from './request.cjs';

/**
 * Which requests may pass. The access token is read from the header `web.accessHeader` of the configuration, else from
 * the cookie `web.accessCookie`. Browsers send a cookie with requests that other sites' pages make; it is therefore
 * refused in one that may change something (any method but `GET`, `HEAD` and `OPTIONS`, or an upgrade to a WebSocket)
 * and comes from a page of neither this server nor `web.allowedOrigins`.
 */
export interface AccessOptions {
  /** Lets requests without a token pass, and those whose cookie does not count. A bad token is refused all the same. */
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
  if (checkedFor.get(options) !== auth) checkAuthenticateOptions(auth, options);
  checkedFor.set(options, auth);
  try {
    const preflight = preflightAnswer(request, web);
    if (preflight) return { ok: false, error: auth.error('ERR_TOKEN_MISSING'), answer: preflight };
    const access = await verifyRequest<T>(auth, web, request, options);
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

const authenticateChecks: Checks<AuthenticateOptions> = {
  optional: isFlag,
  whenStale: isWhenStale,
  subjectClaim: isText,
  loadUser: isFunction,
};

/**
 * Checks the options of a middleware or a hook.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID`
 */
export function checkMiddlewareOptions<T extends object, R>(auth: AccessGuard, options: AuthenticateOptions<T, R>): void {
  checkAuthenticateOptions(auth, options, errorChecks);
}

function checkAuthenticateOptions<T extends object, R>(
  auth: AccessGuard,
  options: AuthenticateOptions<T, R>,
  more: Checks<object> = {},
): void {
  checkHandlerOptions<object>(options, { ...authenticateChecks, ...more }, 'accessCookie');
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
export function verifyRequest<T extends object>(
  auth: AccessGuard,
  web: Web,
  request: HttpRequest,
  options: AccessOptions,
): VerifiedAccess<T> | undefined | Promise<VerifiedAccess<T>> {
  const { whenStale = 'open' } = options;
  const value = header(request, web.accessHeader);
  // The usual case goes to the verifier in one native call. It is all of this function, so that V8 compiles it as one.
  if (value !== undefined && whenStale === 'open' && isBearer(value) && !isRepeated(request, web.accessHeader)) {
    return auth instanceof Verifier ? auth.verifyBearerAsync<T>(value) : auth.verifyBearer<T>(value);
  }
  return verifyPresented<T>(auth, web, request, options);
}

/** As {@link verifyRequest}, for tokens in cookies, DPoP-bound ones and routes that ask the store. */
function verifyPresented<T extends object>(
  auth: AccessGuard,
  web: Web,
  request: HttpRequest,
  { optional = false, whenStale = 'open' }: AccessOptions,
): VerifiedAccess<T> | undefined | Promise<VerifiedAccess<T>> {
  const head = headOf(request, web);
  const presented = catalogOf(auth).textOf(web.native.present(head, optional, auth.checksProofs));
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
  const proof = proofOf(request);
  if (proof === undefined) throw auth.error('ERR_DPOP_PROOF_MISSING');
  return proof;
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
