/** What verifies the access tokens of requests. */
import type { WhenStale } from '../auth.cjs';
import type { AuthError } from '../auth-error.cjs';
import type { VerifiedAccess } from '../claims.cjs';
import type { ErrorCode } from '../error-codes.cjs';
import type { RequestProof } from '../proof.cjs';

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
