/** The statuses and messages of the legacy apps, word for word. */
import type { Language } from '../../error-codes.cjs';

/** The error response of a legacy app. */
export interface OldAnswer {
  readonly status: number;
  readonly texts: Readonly<Record<Language, string>>;
}

/** The middleware: no token in the request. */
export const ACCESS_ABSENT: OldAnswer = {
  status: 400,
  texts: { ko: 'Access Token이 존재하지 않습니다.', en: 'There is no access token.' },
};

/** The middleware: a value that is not `Bearer <token>`. */
export const ACCESS_NOT_BEARER: OldAnswer = {
  status: 419,
  texts: { ko: 'Access Token이 유효하지 않습니다.', en: 'The access token is not valid.' },
};

/** The middleware: a rejected token, expired or not. */
export const ACCESS_REFUSED: OldAnswer = {
  status: 403,
  texts: { ko: 'Access Token이 만료되었습니다.', en: 'The access token has expired.' },
};

/** `rtVerify`: no refresh token, or a malformed one. */
export const REFRESH_MALFORMED: OldAnswer = {
  status: 419,
  texts: { ko: 'refreshToken의 형식이 일치하지 않습니다.', en: 'The refresh token is malformed.' },
};

/** `rtVerify`: the session is not in the store. */
export const REFRESH_UNKNOWN: OldAnswer = {
  status: 419,
  texts: {
    ko: 'refreshToken의 정보가 서버에 존재하지 않습니다.',
    en: 'The refresh token is not known to the server.',
  },
};

/** `rtVerify`: every other rejection. */
export const REFRESH_REFUSED: OldAnswer = {
  status: 419,
  texts: { ko: 'refreshToken이 유효하지 않습니다.', en: 'The refresh token is not valid.' },
};
