/** Authenticates a request: verifies its access token and loads the user. */
import type { WhenStale } from '../auth.cjs';
import { checkPermission } from '../../native.cjs';
import { checkOptions, isFlag, isFunction, isText, type Checks } from '../arguments.cjs';
import { AuthError, Catalog } from '../catalog.cjs';
import type { AccessClaims, VerifiedAccess } from '../claims.cjs';
import type { ErrorCode } from '../error-codes.cjs';
import { amend, appError, header, headOf, isRepeated, parseAnswer, proofOf, refusal, type HttpAnswer, type HttpRequest } from './request.cjs';
import type { RequestProof } from '../session.cjs';
import { checkGuard, isTexts, webOf, type OriginOptions } from './web.cjs';

/** Where the access token is, and what else it must meet. */
export interface AccessOptions extends OriginOptions {
  /** The header with `Bearer <token>`; default `authorization`. */
  header?: string | undefined;
  /**
   * A cookie to read where the header has no token, with the token or `Bearer <token>`. Browsers send it with requests
   * that other sites' pages make; so it does not count in one that may change something (any method but `GET`, `HEAD`
   * and `OPTIONS`, or an upgrade to a WebSocket) and comes from a page of neither this server nor `allowedOrigins`.
   */
  cookie?: string | undefined;
  /** Lets requests without a token pass. A bad token is refused all the same. */
  optional?: boolean | undefined;
  /** For routes that must know of logouts in other processes; default `open`: no I/O, ever. */
  whenStale?: WhenStale | undefined;
}

/** What happens once the token is verified. `T`: the app's own claims; `R`: the framework's request. */
export interface UserOptions<T extends object = object, R = HttpRequest> {
  /** The claim that `loadUser` gets, text or a number as signed, if not the configured subject as text. */
  subjectClaim?: string | undefined;
  /**
   * Loads the user. No user (`null`, `undefined`) is refused as an unknown session; what it throws
   * is the app's.
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
    /** Who asks; absent from a request that may pass without saying so. */
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
  /** The usual answer. To a CORS preflight it is that of the preflight. */
  readonly answer: HttpAnswer;
}

/**
 * Decides whether a request may pass: looks at its access token alone, without I/O but that of
 * `loadUser`, and of `whenStale` where it is given.
 *
 * ```ts
 * const decision = await authenticate(auth, request);
 * if (!decision.ok) return toResponse(decision.answer);
 * ```
 *
 * @throws what `loadUser` throws, and nothing else.
 */
export async function authenticate<T extends object = object, R extends HttpRequest = HttpRequest>(
  auth: AccessGuard,
  request: R,
  options: AuthenticateOptions<T, R> = {},
): Promise<Decision<T>> {
  if (!checked.has(options)) checkAccessOptions(auth, options);
  checked.add(options);
  try {
    const preflight = preflightAnswer(request, options);
    if (preflight) return { ok: false, error: auth.error('ERR_TOKEN_MISSING'), answer: preflight };
    const access = await accessOf<T>(auth, request, options);
    if (access === undefined) return { ok: true };
    if (!options.loadUser) return { ok: true, auth: access };
    return { ok: true, auth: access, user: await userOf(auth, access, request, options) };
  } catch (thrown) {
    if (!(thrown instanceof AuthError)) throw appError(thrown);
    return { ok: false, error: thrown, answer: refusal(thrown) };
  }
}

/** Options that were checked, because {@link authenticate} gets them with every request. */
const checked = new WeakSet<object>();

const accessChecks: Checks<AuthenticateOptions> = {
  header: isText,
  cookie: isText,
  optional: isFlag,
  whenStale: isText,
  allowedOrigins: isTexts,
  subjectClaim: isText,
  loadUser: isFunction,
};

/**
 * Checks what a middleware is made of.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID`, `ERR_CONFIG_INVALID`
 */
export function checkAccessOptions<T extends object, R, M extends object>(
  auth: AccessGuard,
  options: AuthenticateOptions<T, R>,
  more?: Checks<M>,
): void {
  checkGuard(auth);
  checkOptions<object>(options, { ...accessChecks, ...more }, new Catalog());
  accessWeb(options);
}

/** The rules for access tokens. @throws AuthError `ERR_CONFIG_INVALID` */
export function accessWeb({ header, cookie, allowedOrigins }: AccessOptions): ReturnType<typeof webOf> {
  return webOf({ header, accessCookie: cookie, cookie: false, allowedOrigins });
}

/**
 * The answer to a CORS preflight; `undefined` for every other request. A preflight has no credentials and must not
 * reach a protected route.
 */
export function preflightAnswer(request: HttpRequest, options: AccessOptions): HttpAnswer | undefined {
  if (request.method !== 'OPTIONS') return undefined;
  const text = accessWeb(options).preflight(headOf(request, options.header));
  return text === null ? undefined : parseAnswer(text);
}

/** `Bearer`, blank, and the beginning of a token. */
const BEARER = /^bearer [^ \t]/i;

/**
 * The verified access token of a request; `undefined` for one that may pass without. A promise
 * only where the store or keys may have to be asked, because a promise costs more than the verification.
 *
 * @throws AuthError
 */
export function accessOf<T extends object>(
  auth: AccessGuard,
  request: HttpRequest,
  options: AccessOptions,
): VerifiedAccess<T> | undefined | Promise<VerifiedAccess<T>> {
  const { header: name = 'authorization', optional = false, whenStale = 'open' } = options;
  const lowerName = name.toLowerCase();
  const value = header(request, lowerName);
  // The usual case goes to the verifier in one native call.
  if (value !== undefined && whenStale === 'open' && BEARER.test(value) && !isRepeated(request, lowerName)) {
    return auth.fetchesKeys ? auth.verifyBearerAsync<T>(value) : auth.verifyBearer<T>(value);
  }
  const outcome = accessWeb(options).present(headOf(request, name), optional);
  if (outcome === '') return undefined;
  if (typeof outcome !== 'string') {
    throw amend(auth.error(outcome.code as ErrorCode, outcome.detail === undefined ? {} : { detail: outcome.detail }), outcome);
  }
  const { scheme, tokens } = JSON.parse(outcome) as { scheme: 'bearer' | 'dpop'; tokens: [string, ...string[]] };
  if (scheme === 'dpop') return verifyBound(auth, tokens[0], request, whenStale);
  if (auth.fetchesKeys) return verifyFetching(auth, tokens, whenStale);
  const token = tokens.length > 1 && auth.chooseAccess ? auth.chooseAccess(tokens) : tokens[0];
  return whenStale === 'open' ? auth.verifyAccess<T>(token) : verifyChecked(auth, token, whenStale);
}

async function verifyFetching<T extends object>(
  auth: FetchingGuard,
  tokens: [string, ...string[]],
  whenStale: WhenStale,
): Promise<VerifiedAccess<T>> {
  const token = tokens.length > 1 && auth.chooseAccess ? await auth.chooseAccess(tokens) : tokens[0];
  return whenStale === 'open' ? auth.verifyAccessAsync<T>(token) : verifyChecked(auth, token, whenStale);
}

function verifyBound<T extends object>(
  auth: AccessGuard,
  token: string,
  request: HttpRequest,
  whenStale: WhenStale,
): VerifiedAccess<T> | Promise<VerifiedAccess<T>> {
  const proof = auth.checksProofs ? proofOf(request) : undefined;
  if (proof === undefined) throw auth.error('ERR_DPOP_PROOF_MISSING');
  if (whenStale !== 'open') {
    if (!auth.verifyChecked) throw cannotKnow(auth);
    return auth.verifyChecked<T>(token, whenStale, proof);
  }
  const access = auth.fetchesKeys ? auth.verifyWithProofAsync?.<T>(token, proof) : auth.verifyWithProof?.<T>(token, proof);
  if (access === undefined) throw auth.error('ERR_CONFIG_INVALID', { detail: 'proofs of keys cannot be checked' });
  return access;
}

async function verifyChecked<T extends object>(
  auth: AccessGuard,
  token: string,
  whenStale: WhenStale,
): Promise<VerifiedAccess<T>> {
  if (!auth.verifyChecked) throw cannotKnow(auth);
  return auth.verifyChecked<T>(token, whenStale);
}

function cannotKnow(auth: AccessGuard): AuthError {
  return auth.error('ERR_CONFIG_INVALID', { detail: 'whenStale: a verifier cannot know of logouts' });
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
  if (user === null || user === undefined) {
    throw auth.error('ERR_SESSION_UNKNOWN', { detail: 'no such user' });
  }
  return user;
}

function claimOf(auth: AccessGuard, claims: AccessClaims, name: string): string | number {
  const value = claims[name];
  if (typeof value === 'string' || typeof value === 'number') return value;
  throw auth.error('ERR_CLAIM_MISSING', { detail: name });
}

/**
 * An auth object, or a verifier of other services' tokens. Methods that end in `Async` give a promise, the others return
 * at once.
 */
export type AccessGuard = LocalGuard | FetchingGuard;

/** Has its keys, as an auth object does. */
export interface LocalGuard extends GuardBase {
  /** Verifies without waiting. */
  readonly fetchesKeys?: false;
  /** Verifies an access token. */
  verifyAccess<T extends object = object>(token: string | undefined): VerifiedAccess<T>;
  /** Verifies the access token in the value of an `Authorization` header. */
  verifyBearer<T extends object = object>(header: string | undefined): VerifiedAccess<T>;
  /** Chooses among the tokens of several cookies of one name; without it, the first counts. */
  chooseAccess?(tokens: string[]): string;
  /** Verifies a token that is bound to a key, with the proof of it. */
  verifyWithProof?<T extends object = object>(token: string | undefined, proof: RequestProof): VerifiedAccess<T>;
}

/** May have to fetch keys, as a verifier does. */
export interface FetchingGuard extends GuardBase {
  /** Verifies with the methods that may wait. */
  readonly fetchesKeys: true;
  /** Verifies an access token. */
  verifyAccessAsync<T extends object = object>(token: string | undefined): Promise<VerifiedAccess<T>>;
  /** Verifies the access token in the value of an `Authorization` header. */
  verifyBearerAsync<T extends object = object>(header: string | undefined): Promise<VerifiedAccess<T>>;
  /** Chooses among the tokens of several cookies of one name; without it, the first counts. */
  chooseAccess?(tokens: string[]): Promise<string>;
  /** Verifies a token that is bound to a key, with the proof of it. */
  verifyWithProofAsync?<T extends object = object>(
    token: string | undefined,
    proof: RequestProof,
  ): Promise<VerifiedAccess<T>>;
}

/** What every guard has. */
export interface GuardBase {
  /** Verifies where logouts in other processes must be known. A verifier cannot know of them. */
  verifyChecked?<T extends object = object>(
    token: string | undefined,
    whenStale: WhenStale,
    proof?: RequestProof,
  ): Promise<VerifiedAccess<T>>;
  /** Whether proofs of keys are checked. */
  readonly checksProofs?: boolean;
  /** An error in its language. */
  error(code: ErrorCode, options?: { detail?: string; cause?: unknown }): AuthError;
}

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
 * Decides whether an access token has all of `scopes` in its claim `scope` (RFC 9068 §2.2.3): names with blanks between
 * them, or an array. Without a token, or without the scopes, the answer is 401 or 403 (RFC 6750 §3.1).
 *
 * @param access - The `auth` of a {@link Decision}.
 */
export function requireScopes(auth: AccessGuard, access: VerifiedAccess | undefined, scopes: string | readonly string[]): Permission {
  return permission(() => checkPermitted(auth, access, scopesOf(scopes), {}));
}

/** As {@link requireScopes}, for claims of the app: `requireClaims(auth, access, { role: 'admin' })`. */
export function requireClaims(auth: AccessGuard, access: VerifiedAccess | undefined, claims: RequiredClaims): Permission {
  return permission(() => checkPermitted(auth, access, [], claims));
}

function permission(check: () => void): Permission {
  try {
    check();
    return { ok: true };
  } catch (thrown) {
    if (!(thrown instanceof AuthError)) throw thrown;
    return { ok: false, error: thrown, answer: refusal(thrown) };
  }
}

/** One scope, or several. @throws AuthError `ERR_ARGUMENT_INVALID` for none. */
export function scopesOf(scopes: string | readonly string[]): string[] {
  const list = typeof scopes === 'string' ? [scopes] : [...(scopes ?? [])];
  const isScope = (scope: unknown) => typeof scope === 'string' && /^[!#-[\]-~]+$/.test(scope);
  if (list.length > 0 && list.every(isScope)) return list;
  throw new Catalog().argumentInvalid('scopes', 'expected the name of a scope, or an array of names');
}

/** @throws AuthError `ERR_INSUFFICIENT_SCOPE`, and `ERR_TOKEN_MISSING` without a token. */
export function checkPermitted(
  auth: AccessGuard,
  access: VerifiedAccess | undefined,
  scopes: string[],
  claims: RequiredClaims,
): void {
  if (access === undefined) throw auth.error('ERR_TOKEN_MISSING');
  const outcome = checkPermission(scopes, JSON.stringify(claims), JSON.stringify(access.claims));
  if (typeof outcome === 'string') return;
  throw amend(auth.error(outcome.code as ErrorCode), outcome);
}
