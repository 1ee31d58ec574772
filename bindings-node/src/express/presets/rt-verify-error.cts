/** The error that an old app's error handler gets. */
import type { AuthError } from '../../auth-error.cjs';
import { errorInfo, type Advice, type ErrorCode, type Language } from '../../error-codes.cjs';
import type { OldAnswer } from './rt-verify-texts.cjs';

/** How messages are written: `prefixed` is `<status>/<text>`, which old error handlers split. */
export type MessageStyle = 'prefixed' | 'plain';

/** Handed to `next` by the preset. */
export class RtVerifyError extends Error {
  /** The HTTP status: 400, 403 or 419; 503 (or 409) when it should be tried again. */
  readonly status: number;
  /** The same, under the name that other error handlers read. */
  readonly statusCode: number;
  /** The text for people, without the status. */
  readonly text: string;
  /** The code of the refusal. */
  readonly code: ErrorCode;
  /** What the caller should do now. */
  readonly advice: Advice;
  /** The step that failed. */
  readonly failedApi: string;
  /** The refusal itself. */
  declare readonly cause: AuthError;

  constructor(status: number, text: string, style: MessageStyle, failedApi: string, cause: AuthError) {
    super(style === 'prefixed' ? `${status}/${text}` : text, { cause });
    this.status = status;
    this.statusCode = status;
    this.text = text;
    this.code = cause.code;
    this.advice = cause.advice;
    this.failedApi = failedApi;
  }

  static {
    Object.defineProperty(RtVerifyError.prototype, 'name', { value: 'RtVerifyError', configurable: true });
  }
}

/** How a preset words its errors. */
export interface Wording {
  readonly language: Language;
  readonly messageStyle: MessageStyle;
}

/**
 * The old form of a refusal. Nothing is wrong with the user where the advice is `retry` or `fix`:
 * then it keeps its own status, so that no old client takes it for a sign-out.
 */
export function oldError(wording: Wording, answer: OldAnswer, failedApi: string, cause: AuthError): RtVerifyError {
  const { language, messageStyle } = wording;
  const ours = cause.advice === 'retry' || cause.advice === 'fix';
  const status = ours ? cause.status : answer.status;
  const text = ours ? errorInfo(cause.code).messages[language] : answer.texts[language];
  return new RtVerifyError(status, text, messageStyle, failedApi, cause);
}
