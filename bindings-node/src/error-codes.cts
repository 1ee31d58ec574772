/**
 * The error codes.
 *
 * The table comes from the Rust core. Its literals are repeated here as types; test/errors.test.mjs keeps both equal.
 */
import { errorTable } from '../native.cjs';

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
  | 'ERR_LOGIN_TOO_OLD'
  | 'ERR_ORIGIN_NOT_ALLOWED'
  | 'ERR_NOT_FOUND'
  | 'ERR_ARGUMENT_INVALID'
  | 'ERR_CONFIG_INVALID'
  | 'ERR_INTERNAL';

/**
 * What the caller should do now; the list is closed.
 *
 * - `refresh`: call the refresh endpoint, then repeat the request once.
 * - `sign_in`: show the login page.
 * - `reject`: do not repeat this request unchanged.
 * - `retry`: stay signed in and repeat the request: with the newest token or the nonce given, and after `Retry-After` if
 *   present.
 * - `fix`: a defect of the program or its configuration.
 */
export type Advice = 'refresh' | 'sign_in' | 'reject' | 'retry' | 'fix';

/** A language of the built-in messages. */
export type Language = 'en' | 'ko';

/** The advice, HTTP status, challenge and messages of a code. */
export interface ErrorInfo {
  /** The code. */
  readonly code: ErrorCode;
  /** What the caller should do now. */
  readonly advice: Advice;
  /** The HTTP status of the response. */
  readonly status: number;
  /**
   * The value of `WWW-Authenticate` (RFC 6750 §3, RFC 9449 §7.1); with status 401 and with `ERR_INSUFFICIENT_SCOPE`.
   */
  readonly wwwAuthenticate?: string;
  /** The message in each language. */
  readonly messages: Readonly<Record<Language, string>>;
}

/**
 * Every code, in the order of the core's table. The array and its entries are frozen.
 *
 * The order is a contract within this package: the native verifier returns indexes into this array.
 */
export const errorCodes: readonly ErrorInfo[] = Object.freeze(
  errorTable().map((entry) => {
    Object.freeze(entry.messages);
    return Object.freeze(entry as ErrorInfo);
  }),
);

const byCode = new Map<string, ErrorInfo>(errorCodes.map((info) => [info.code, info]));

/** The entry of `code`; that of `ERR_INTERNAL` for an unknown code. */
export function errorInfo(code: string): ErrorInfo {
  return (byCode.get(code) ?? byCode.get('ERR_INTERNAL')) as ErrorInfo;
}

/** Whether `code` is in the table. */
export function isErrorCode(code: string): code is ErrorCode {
  return byCode.has(code);
}

/** Whether there are messages in `language`. */
export function isLanguage(language: unknown): language is Language {
  return typeof language === 'string' && Object.hasOwn(errorInfo('ERR_INTERNAL').messages, language);
}
