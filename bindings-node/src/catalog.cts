/** The error messages of one auth object: in the chosen language, or the app's own. */
import type { ErrorDto } from '../native.cjs';
import { AuthError, type AuthErrorOptions, type RevocationReason } from './auth-error.cjs';
import { errorInfo, isErrorCode, isLanguage, type ErrorCode, type Language } from './error-codes.cjs';

/** The app's own messages, by code. */
export type Messages = Partial<Readonly<Record<ErrorCode, string>>>;

/** Makes the errors of one auth object. */
export class Catalog {
  constructor(
    readonly language: Language = 'en',
    readonly messages: Messages = {},
  ) {}

  /** An error with this code. */
  error(code: ErrorCode, options: Omit<AuthErrorOptions, 'text'> = {}): AuthError {
    const text = this.messages[code] ?? errorInfo(code).messages[this.language];
    return new AuthError(code, { ...options, text });
  }

  /** The error that the core returned. */
  errorOf({ code, detail, field, reason, nonce, retryAfter, cause }: ErrorDto): AuthError {
    return this.error(errorInfo(code).code, {
      detail,
      field,
      nonce,
      reason: reason as RevocationReason | undefined,
      // Rounded up, so that clients never retry too early.
      retryAfter: retryAfter === undefined ? undefined : Math.ceil(retryAfter / 1000),
      cause: cause === undefined ? undefined : new Error(cause),
    });
  }

  /** An `ERR_CONFIG_INVALID` that names `field`. */
  configInvalid(field: string, problem: string): AuthError {
    return this.error('ERR_CONFIG_INVALID', { field, detail: `${field}: ${problem}` });
  }
}

/**
 * The catalog that a configuration asks for.
 *
 * @throws AuthError `ERR_CONFIG_INVALID`
 */
export function loadCatalog(language: Language | undefined, messages: Messages | undefined): Catalog {
  const catalog = new Catalog();
  if (language !== undefined && !isLanguage(language)) {
    throw catalog.configInvalid('language', "must be 'en' or 'ko'; other texts go into messages");
  }
  for (const code of Object.keys(messages ?? {})) {
    if (!isErrorCode(code)) throw catalog.configInvalid(`messages.${code}`, 'is no error code');
  }
  return new Catalog(language, messages);
}
