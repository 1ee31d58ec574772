/** Which words an error of one auth object has: the chosen language, the app's own texts. */
import type { Failure } from '../native.cjs';
import { AuthError, type AuthErrorOptions, type RevocationReason } from './auth-error.cjs';
import { infoOf, type ErrorCode, type Language } from './error-codes.cjs';

/** The app's own texts, by code. */
export type Messages = Partial<Readonly<Record<ErrorCode, string>>>;

/** Makes the errors of one auth object. */
export class Texts {
  constructor(
    readonly language: Language = 'en',
    readonly messages: Messages = {},
  ) {}

  /** An error with this code. */
  error(code: ErrorCode, options: Omit<AuthErrorOptions, 'text'> = {}): AuthError {
    const text = this.messages[code] ?? infoOf(code).messages[this.language];
    return new AuthError(code, { ...options, text });
  }

  /** The error that a failure of the core stands for. */
  errorOf(failure: Failure): AuthError {
    const { code, detail, field, reason, nonce, retryAfter, cause } = failure;
    return this.error(infoOf(code).code, {
      detail,
      field,
      nonce,
      reason: reason as RevocationReason | undefined,
      // Rounded up: who comes earlier comes in vain.
      retryAfter: retryAfter === undefined ? undefined : Math.ceil(retryAfter / 1000),
      cause: cause === undefined ? undefined : new Error(cause),
    });
  }
}
