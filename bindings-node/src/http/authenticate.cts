/** Authenticates a request: verifies its access token and loads the user. */
import type { WhenStale } from '../auth.cjs';
import { AuthError } from '../catalog.cjs';
import type { AccessClaims, VerifiedAccess } from '../claims.cjs';
import type { ErrorCode } from '../error-codes.cjs';
import {
  boundToken,
  header,
  isOwnPage,
  isSafe,
  proofOf,
  readCookie,
  refusal,
  type HttpAnswer,
  type HttpRequest,
  type OriginOptions,
} from './request.cjs';
import type { RequestProof } from '../session.cjs';

/** Where the access token is, and what else it must meet. */
export interface AccessOptions extends OriginOptions {
  /** The header with `Bearer <token>`; default `authorization`. */
  header?: string | undefined;
  /**
   * A cookie to read where the header is absent, with the token or `Bearer <token>`. Browsers send it with requests
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
  | {
    /** The request is refused. */
    readonly ok: false;
    /** Why not. */
    readonly error: AuthError;
    /** The usual answer. */
    readonly answer: HttpAnswer;
  };

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
  try {
    const access = await accessOf<T>(auth, request, options);
    if (access === undefined) return { ok: true };
    if (!options.loadUser) return { ok: true, auth: access };
    return { ok: true, auth: access, user: await userOf(auth, access, request, options) };
  } catch (thrown) {
    if (!(thrown instanceof AuthError)) throw thrown;
    return { ok: false, error: thrown, answer: refusal(thrown) };
  }
}

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
  const { optional, whenStale = 'open' } = options;
  const { value, bare } = presented(request, options);
  if (value === undefined && optional) return undefined;
  const bound = auth.checksProofs && !bare ? boundToken(value) : undefined;
  if (bound !== undefined) return verifyBound(auth, bound, request, whenStale);
  if (whenStale !== 'open') return verifyChecked(auth, value, bare, whenStale);
  if (auth.fetchesKeys) return bare ? auth.verifyAccessAsync<T>(value) : auth.verifyBearerAsync<T>(value);
  return bare ? auth.verifyAccess<T>(value) : auth.verifyBearer<T>(value);
}

function verifyBound<T extends object>(
  auth: AccessGuard,
  token: string,
  request: HttpRequest,
  whenStale: WhenStale,
): VerifiedAccess<T> | Promise<VerifiedAccess<T>> {
  const proof = proofOf(request);
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
  value: string | undefined,
  bare: boolean,
  whenStale: WhenStale,
): Promise<VerifiedAccess<T>> {
  if (!auth.verifyChecked || !auth.bearerToken) throw cannotKnow(auth);
  return auth.verifyChecked<T>(bare ? value : auth.bearerToken(value), whenStale);
}

function cannotKnow(auth: AccessGuard): AuthError {
  return auth.error('ERR_CONFIG_INVALID', { detail: 'whenStale: a verifier cannot know of logouts' });
}

/** The value of the header, else of the cookie, and whether it is a token without a scheme. */
function presented(request: HttpRequest, options: AccessOptions): { value: string | undefined; bare: boolean } {
  const { header: name = 'authorization', cookie } = options;
  const value = header(request, name.toLowerCase());
  if (value !== undefined) return { value, bare: false };
  const counts = cookie !== undefined && (isSafe(request) || isOwnPage(request, options));
  const kept = counts ? readCookie(request, cookie) : undefined;
  // A bare token has no blank in it, `Bearer <token>` has.
  return { value: kept, bare: !kept?.includes(' ') };
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
  /** The token in the value of an `Authorization` header. */
  bearerToken?(header: string | undefined): string;
  /** An error in its language. */
  error(code: ErrorCode, options?: { detail?: string; cause?: unknown }): AuthError;
}
