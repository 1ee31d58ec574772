/** The interface and the errors of apps with `GET /api/users/rtVerify`: statuses and messages word for word. */
import type { Request, RequestHandler, Response } from 'express';
import { isAnything, isFlag, isFunction, isText, type Check, type Checks } from '../arguments.cjs';
import type { Auth } from '../auth.cjs';
import type { AuthError } from '../catalog.cjs';
import type { AccessClaims } from '../claims.cjs';
import { errorInfo, type Advice, type ErrorCode, type Language } from '../error-codes.cjs';
import type { ClaimsSource, TokenPair } from '../session.cjs';

/** How the preset speaks and which names it goes by. */
export interface RtVerifyOptions {
  /** The language of the texts; default `'ko'`, the very words of the old apps. */
  language?: Language | undefined;
  /** How `message` is written: `prefixed` (default) is `<status>/<text>`. `text` is always plain. */
  messageStyle?: MessageStyle | undefined;
  /**
   * Whether the cookie is sent over HTTPS alone; default false, as in the old app, which may be served over plain HTTP.
   * `'auto'`: where the request came by HTTPS, which behind a proxy needs `app.set('trust proxy', …)`.
   */
  secure?: boolean | 'auto' | undefined;
  /** Whether scripts cannot read the cookie; default false, because old front ends read it. */
  httpOnly?: boolean | undefined;
  /** Which requests of other sites carry the cookie; by default the browser decides, as in the old app. */
  sameSite?: 'lax' | 'strict' | 'none' | undefined;
  /**
   * Whether the cookie is ignored in requests that may change something (any method but `GET`, `HEAD` and `OPTIONS`)
   * from pages of other origins than `web.allowedOrigins` of `createAuth`; default true. The old apps did not look: `false` is for front ends whose origins are
   * not known, and lets every page of the same site act for the user.
   */
  checkOrigin?: boolean | undefined;
  /** What `failedApi` says; default `refreshToken 검증` in the refresh endpoint, and absent in the middleware. */
  failedApi?: FailedApi | undefined;
}

const isOneOf = (...values: unknown[]): Check => ({
  accepts: (value) => values.includes(value),
  expected: `one of ${values.join(', ')}`,
});

export const rtVerifyChecks: Checks<RtVerifyOptions> = {
  language: isOneOf('ko', 'en'),
  messageStyle: isOneOf('prefixed', 'plain'),
  secure: isOneOf(true, false, 'auto'),
  httpOnly: isFlag,
  sameSite: isOneOf('lax', 'strict', 'none'),
  checkOrigin: isFlag,
  failedApi: isAnything,
};

export const failedApiChecks: Checks<FailedApi> = { authenticate: isText, rtVerify: isText };

export const authenticateChecks: Checks<RtVerifyAuthenticateOptions> = { loadUser: isFunction };

/** What the field `failedApi` of an answer says, by where the failure was. */
export interface FailedApi {
  /** In the middleware. */
  authenticate?: string | undefined;
  /** In the refresh endpoint. */
  rtVerify?: string | undefined;
}

/** What the middleware of the preset takes. `T`: the app's own claims. */
export interface RtVerifyAuthenticateOptions<T extends object = object> {
  /**
   * Loads the row that becomes `res.locals.user`. No row is refused as a bad token is. `userId` has the type of the
   * claim: a number or text.
   */
  loadUser?: ((userId: any, claims: AccessClaims & T, req: Request) => unknown) | undefined;
}

/** The old shape: the middleware, the refresh route and the answer to a login. */
export interface RtVerifyPreset {
  /**
   * The middleware: header `accesstoken`, else cookie `accessToken`, value `Bearer <jwt>`. Sets
   * `res.locals.user` and `req.auth`; hands {@link RtVerifyError} to `next`.
   */
  authenticate<T extends object = object>(
    auth: Auth,
    options?: RtVerifyAuthenticateOptions<T>,
  ): RequestHandler;
  /**
   * `GET /api/users/rtVerify`: headers `refreshtoken` (`Bearer <jwt>`) and `userid`, which is
   * compared with the session's user. Sets the cookie and answers `{ accessToken: 'Bearer <jwt>' }`.
   *
   * The refresh token stays the same, because old clients keep the one of their login, whatever `refresh.rotation`
   * says. A client that sends `x-refresh-rotate: 1` gets the next one too, as `refreshToken: 'Bearer <jwt>'`. From then
   * on every refresh of that session returns the next one, with the header or without: a thief must not be able to
   * choose.
   *
   * @param options - `claims`: the app's own claims for the new access token.
   */
  rtVerify(auth: Auth, options?: { claims?: ClaimsSource | undefined }): RequestHandler;
  /**
   * Sets the cookie and answers `{ accessToken, refreshToken, userId }`, tokens as `Bearer <jwt>`, `userId` in the type
   * of the claim.
   */
  loginResponse(res: Response, pair: TokenPair): void;
}

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
  /** The step that failed; absent where the old app names none. */
  declare failedApi?: string;
  /** The refusal itself. */
  declare readonly cause: AuthError;

  constructor(status: number, text: string, style: MessageStyle, failedApi: string | undefined, cause: AuthError) {
    super(style === 'prefixed' ? `${status}/${text}` : text, { cause });
    this.status = status;
    this.statusCode = status;
    this.text = text;
    this.code = cause.code;
    this.advice = cause.advice;
    if (failedApi !== undefined) this.failedApi = failedApi;
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
 * The old form of a refusal. Nothing is wrong with the user where the advice is `retry` or `fix`: then it keeps its own
 * status, so that no old client takes it for a sign-out. `ERR_TOO_MANY_ATTEMPTS` only ever stands for a refusal, and old
 * clients do not know 429.
 */
export function legacyError(wording: Wording, answer: LegacyAnswer, failedApi: string | undefined, cause: AuthError): RtVerifyError {
  const { language, messageStyle } = wording;
  const isRefusal = cause.code === 'ERR_TOO_MANY_ATTEMPTS' || (cause.advice !== 'retry' && cause.advice !== 'fix');
  const status = isRefusal ? answer.status : cause.status;
  const text = isRefusal ? answer.texts[language] : errorInfo(cause.code).messages[language];
  return new RtVerifyError(status, text, messageStyle, failedApi, cause);
}

/** The error response of a legacy app. */
export interface LegacyAnswer {
  readonly status: number;
  readonly texts: Readonly<Record<Language, string>>;
}

/** The middleware: no token in the request. */
export const ACCESS_ABSENT: LegacyAnswer = {
  status: 400,
  texts: { ko: 'Access Token이 존재하지 않습니다.', en: 'There is no access token.' },
};

/** The middleware: a value that is not `Bearer <token>`. */
export const ACCESS_NOT_BEARER: LegacyAnswer = {
  status: 419,
  texts: { ko: 'Access Token이 유효하지 않습니다.', en: 'The access token is not valid.' },
};

/** The middleware: a rejected token, expired or not. */
export const ACCESS_REFUSED: LegacyAnswer = {
  status: 403,
  texts: { ko: 'Access Token이 만료되었습니다.', en: 'The access token has expired.' },
};

/** `rtVerify`: no refresh token, or a value that is not `Bearer <token>`. */
export const REFRESH_MALFORMED: LegacyAnswer = {
  status: 419,
  texts: { ko: 'refreshToken의 형식이 일치하지 않습니다.', en: 'The refresh token is malformed.' },
};

/** `rtVerify`: not in the store: never was, logged out, or no token of the app at all. */
export const REFRESH_UNKNOWN: LegacyAnswer = {
  status: 419,
  texts: {
    ko: 'refreshToken의 정보가 서버에 존재하지 않습니다.',
    en: 'The refresh token is not known to the server.',
  },
};

/** `rtVerify`: every other rejection. */
export const REFRESH_REFUSED: LegacyAnswer = {
  status: 419,
  texts: { ko: 'refreshToken이 유효하지 않습니다.', en: 'The refresh token is not valid.' },
};
