/** AuthError, the class of all errors that this package throws, and the catalog that words them in one language. */
import type { ErrorDto, NativeResult } from '../native.cjs';
import { authErrorOptions, checkOptions, isPlain } from './arguments.cjs';
import { errorInfo, isErrorCode, isLanguage, type Advice, type ErrorCode, type Language } from './error-codes.cjs';

/** Why a session was revoked. */
export type RevocationReason = 'logout' | 'logout_everywhere' | 'reused' | 'administrative' | 'displaced';

/** The details of an error beyond its code. */
export interface AuthErrorOptions {
  /** The message for people, in place of the English one. */
  text?: string | undefined;
  /** What the message says beyond that: the name of a claim, the problem of a field or an argument. */
  detail?: string | undefined;
  /** The path of a field of the configuration, or the name of an argument or a claim. */
  field?: string | undefined;
  /** Why the session was revoked. */
  reason?: RevocationReason | undefined;
  /** The nonce that a DPoP proof needs, with `ERR_DPOP_NONCE_REQUIRED`. */
  nonce?: string | undefined;
  /** When to retry at the earliest, in seconds. */
  retryAfter?: number | undefined;
  /** The value of `WWW-Authenticate`, in place of that of the code. */
  wwwAuthenticate?: string | undefined;
  /** The error that caused this one. */
  cause?: unknown;
}

/** What a client may see of an {@link AuthError}. */
export interface AuthErrorJson {
  /** The stable code. */
  code: ErrorCode;
  /** What the client should do now. */
  advice: Advice;
  /** The message for people. */
  message: string;
  /** Why the session was revoked, with `ERR_SESSION_REVOKED`. */
  reason?: RevocationReason;
}

/**
 * Why a token, a session or a configuration was rejected.
 *
 * Messages never contain a token or the value of a claim. Express itself responds with `status` and
 * `headers` where the app has no error handler.
 */
export class AuthError extends Error {
  /** The stable code, the same in every language of this project. */
  readonly code: ErrorCode;
  /** What the caller should do now. */
  readonly advice: Advice;
  /** The HTTP status of the response. */
  readonly status: number;
  /**
   * The HTTP headers of the response: `WWW-Authenticate` (RFC 6750 §3), `DPoP-Nonce` (RFC 9449 §8), and
   * `Retry-After` (RFC 9110 §10.2.3) where `retryAfter` is known.
   */
  readonly headers: Readonly<Record<string, string>>;
  /** The message for people: without what only developers need. */
  readonly text: string;
  /**
   * The path of the rejected field with `ERR_CONFIG_INVALID`, the name of the argument with `ERR_ARGUMENT_INVALID`, and
   * that of the claim with `ERR_CLAIM_MISSING` and `ERR_CLAIM_INVALID`.
   */
  declare readonly field?: string;
  /** Why the session was revoked, with `ERR_SESSION_REVOKED`. */
  declare readonly reason?: RevocationReason;
  /** When to retry at the earliest, in whole seconds, with `ERR_TOO_MANY_ATTEMPTS`. */
  declare readonly retryAfter?: number;
  /** Values of `Set-Cookie` for the response: a refused refresh removes the cookies of a session that is over. */
  declare readonly cookies?: readonly string[];

  /**
   * For apps and tests that respond as this package does.
   *
   * @param code - Advice, status and headers follow from it.
   * @param options - The details beyond the code.
   * @throws AuthError `ERR_ARGUMENT_INVALID` for unfit options.
   */
  constructor(code: ErrorCode, options: AuthErrorOptions = {}) {
    checkOptions(options, authErrorOptions, english);
    const info = errorInfo(code);
    const { text = info.messages.en, detail, field, reason, nonce, retryAfter, cause } = options;
    const { wwwAuthenticate = info.wwwAuthenticate } = options;
    super(detail === undefined ? text : `${text}: ${detail}`, cause === undefined ? {} : { cause });
    this.code = info.code;
    this.advice = info.advice;
    this.status = info.status;
    this.headers = {
      ...(wwwAuthenticate && { 'WWW-Authenticate': wwwAuthenticate }),
      ...(nonce && { 'DPoP-Nonce': nonce }),
      ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
    };
    this.text = text;
    if (field !== undefined) this.field = field;
    if (reason !== undefined) this.reason = reason;
    if (retryAfter !== undefined) this.retryAfter = retryAfter;
  }

  /** What a client may see, for the body of the response. */
  toJSON(): AuthErrorJson {
    const { code, advice, text: message, reason } = this;
    return reason === undefined ? { code, advice, message } : { code, advice, message, reason };
  }

  static {
    // Not an own property, which would be listed when an error is printed.
    Object.defineProperty(AuthError.prototype, 'name', { value: 'AuthError', configurable: true });
  }
}

/** Whether a value that was thrown is an {@link AuthError}, also for a proxy whose handler throws. */
export function isAuthError(thrown: unknown): thrown is AuthError {
  try {
    return thrown instanceof AuthError;
  } catch {
    return false;
  }
}

/** The app's own messages, by code. */
export type Messages = Partial<Readonly<Record<ErrorCode, string>>>;

/** Makes the errors of one auth object. */
export class Catalog {
  constructor(
    readonly language: Language = 'en',
    readonly messages: Messages = {},
  ) {}

  /** An error with this code; `ERR_INTERNAL` for an unknown one. */
  error(code: ErrorCode, options: Omit<AuthErrorOptions, 'text'> = {}): AuthError {
    const info = errorInfo(code);
    const text = this.messages[info.code] ?? info.messages[this.language];
    return new AuthError(info.code, { ...options, text });
  }

  /** The error that the core returned, with what it has decided about the response. */
  errorOf({ code, reason, cause, advice, cookies, ...details }: ErrorDto): AuthError {
    const error = this.error(errorInfo(code).code, {
      ...details,
      reason: reason as RevocationReason | undefined,
      cause: cause === undefined ? undefined : new Error(cause),
    });
    return Object.assign(error, { ...(advice !== undefined && { advice }), ...(cookies !== undefined && { cookies }) });
  }

  /** The text that the core returned. @throws AuthError */
  textOf(outcome: NativeResult): string {
    if (typeof outcome === 'string') return outcome;
    throw this.errorOf(outcome);
  }

  /** An `ERR_CONFIG_INVALID` that names `field`. */
  configInvalid(field: string, problem: string): AuthError {
    return this.error('ERR_CONFIG_INVALID', { field, detail: `${field}: ${problem}` });
  }

  /** An `ERR_ARGUMENT_INVALID` that names `argument`. */
  argumentInvalid(argument: string, problem: string, cause?: unknown): AuthError {
    return this.error('ERR_ARGUMENT_INVALID', { field: argument, detail: `${argument}: ${problem}`, cause });
  }
}

/** For errors of what belongs to no auth object. */
const english = new Catalog();

/**
 * The catalog that a configuration asks for.
 *
 * @throws AuthError `ERR_CONFIG_INVALID`
 */
export function loadCatalog(language: Language | undefined, messages: Messages | undefined): Catalog {
  const catalog = english;
  if (language !== undefined && !isLanguage(language)) {
    throw catalog.configInvalid('language', "must be 'en' or 'ko'; other texts go into messages");
  }
  if (messages === undefined) return new Catalog(language);
  if (!isPlain(messages)) throw catalog.configInvalid('messages', 'must be a plain object');
  for (const [code, text] of Object.entries(messages as Record<string, unknown>)) {
    if (!isErrorCode(code)) throw catalog.configInvalid(`messages.${code}`, 'is no error code');
    if (text !== undefined && (typeof text !== 'string' || text === '')) {
      throw catalog.configInvalid(`messages.${code}`, 'must be a string that is not empty');
    }
  }
  return new Catalog(language, { ...messages });
}
