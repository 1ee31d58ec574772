/**
 * The error codes, with advice and messages, from the core's table.
 *
 * Only the literal types are written here, for the compiler.
 */
import { errorTable, type ErrorEntry } from '../native.cjs';

/** The stable code of an {@link AuthError}. A later version may add codes, never rename one. */
export type ErrorCode =
  | 'ERR_TOKEN_EXPIRED'
  | 'ERR_TOKEN_MISSING'
  | 'ERR_REFRESH_EXPIRED'
  | 'ERR_SESSION_UNKNOWN'
  | 'ERR_SESSION_REVOKED'
  | 'ERR_REFRESH_REUSED'
  | 'ERR_TOKEN_MALFORMED'
  | 'ERR_TOKEN_TOO_LARGE'
  | 'ERR_ALG_NOT_ALLOWED'
  | 'ERR_KEY_NOT_FOUND'
  | 'ERR_SIGNATURE_INVALID'
  | 'ERR_TYP_MISMATCH'
  | 'ERR_CRIT_UNSUPPORTED'
  | 'ERR_TOKEN_NOT_YET_VALID'
  | 'ERR_ISSUER_MISMATCH'
  | 'ERR_AUDIENCE_MISMATCH'
  | 'ERR_CLAIM_MISSING'
  | 'ERR_CLAIM_INVALID'
  | 'ERR_SUBJECT_MISMATCH'
  | 'ERR_ACCESS_REVOKED'
  | 'ERR_DPOP_PROOF_MISSING'
  | 'ERR_DPOP_PROOF_INVALID'
  | 'ERR_DPOP_PROOF_REPLAYED'
  | 'ERR_DPOP_NONCE_REQUIRED'
  | 'ERR_STORE_UNAVAILABLE'
  | 'ERR_KEYS_UNAVAILABLE'
  | 'ERR_TRANSPORT'
  | 'ERR_REFRESH_SUPERSEDED'
  | 'ERR_TOO_MANY_ATTEMPTS'
  | 'ERR_INSUFFICIENT_SCOPE'
  | 'ERR_NOT_FOUND'
  | 'ERR_ARGUMENT_INVALID'
  | 'ERR_CONFIG_INVALID'
  | 'ERR_INTERNAL';

/**
 * What the caller should do now; the list is closed.
 *
 * - `refresh`: call the refresh endpoint, then repeat the request once.
 * - `sign_in`: the session is over, show the login page.
 * - `reject`: the token is not acceptable, and no retry will change that.
 * - `retry`: nothing is wrong with the token, keep it and try again later.
 * - `fix`: a defect of the program or its configuration.
 */
export type Advice = 'refresh' | 'sign_in' | 'reject' | 'retry' | 'fix';

/** A language of the built-in messages. */
export type Language = 'en' | 'ko';

/** What follows from a code. */
export interface ErrorCodeInfo {
  /** The code. */
  readonly code: ErrorCode;
  /** What the caller should do now. */
  readonly advice: Advice;
  /** The HTTP status of the response. */
  readonly status: number;
  /** The value of `WWW-Authenticate` (RFC 6750 §3); with status 401 and with `ERR_INSUFFICIENT_SCOPE`. */
  readonly wwwAuthenticate?: string;
  /** The message in each language. */
  readonly messages: Readonly<Record<Language, string>>;
}

/** Every code and what follows from it, in the order of the core's table. */
export const errorCodes: readonly ErrorCodeInfo[] = errorTable().map((entry) =>
  // test/errors.test.mjs checks the types above against the table.
  Object.freeze(entry as ErrorEntry & ErrorCodeInfo),
);

const byCode = new Map(errorCodes.map((entry) => [entry.code, entry]));

/** What follows from `code`; from `ERR_INTERNAL` where there is no such code. */
export function errorInfo(code: string): ErrorCodeInfo {
  return (byCode.get(code as ErrorCode) ?? byCode.get('ERR_INTERNAL')) as ErrorCodeInfo;
}

/** Whether `code` is in the core's table. */
export function isErrorCode(code: string): code is ErrorCode {
  return byCode.has(code as ErrorCode);
}

/** Whether there are messages in `language`. */
export function isLanguage(language: unknown): language is Language {
  return typeof language === 'string' && Object.hasOwn(errorInfo('ERR_INTERNAL').messages, language);
}
