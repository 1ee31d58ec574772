/** What verifies the access tokens of requests. */
import type { WhenStale } from '../auth.cjs';
import type { AuthError } from '../auth-error.cjs';
import type { VerifiedAccess } from '../claims.cjs';
import type { ErrorCode } from '../error-codes.cjs';
import type { RequestProof } from '../proof.cjs';

/** An auth object, which verifies at once; or a verifier, which may have to wait for keys. */
export interface AccessGuard {
  /** Verifies an access token. */
  verifyAccess<T extends object = object>(token: string | undefined): VerifiedAccess<T> | Promise<VerifiedAccess<T>>;
  /** Verifies the access token in the value of an `Authorization` header. */
  verifyBearer<T extends object = object>(header: string | undefined): VerifiedAccess<T> | Promise<VerifiedAccess<T>>;
  /** Verifies where logouts in other processes must be known. A verifier cannot know of them. */
  verifyFresh?<T extends object = object>(
    token: string | undefined,
    whenStale: WhenStale,
    proof?: RequestProof,
  ): Promise<VerifiedAccess<T>>;
  /** Whether proofs of keys are checked. */
  readonly checksProofs?: boolean;
  /** Verifies a token that is bound to a key, with the proof of it. */
  verifyWithProof?<T extends object = object>(
    token: string | undefined,
    proof: RequestProof,
  ): VerifiedAccess<T> | Promise<VerifiedAccess<T>>;
  /** The token in the value of an `Authorization` header. */
  bearerToken?(header: string | undefined): string;
  /** An error in its language. */
  error(code: ErrorCode, options?: { detail?: string; cause?: unknown }): AuthError;
}
