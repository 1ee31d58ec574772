/** The preset for apps with `GET /api/users/rtVerify`. */
import type { Request, Response } from 'express';
import type { Auth } from '../auth.cjs';
import { AuthError } from '../catalog.cjs';
import { addressOf, header, readCookie } from '../http/request.cjs';
import type { ClaimsSource, Renewed, TokenPair } from '../session.cjs';
import { middleware, noStore } from './middleware.cjs';
import * as legacy from './rt-verify.cjs';
import type { RtVerifyOptions, RtVerifyPreset } from './rt-verify.cjs';

const ACCESS_HEADER = 'accesstoken';
const ACCESS_COOKIE = 'accessToken';
const REFRESH_HEADER = 'refreshtoken';
const USER_HEADER = 'userid';
const ROTATE_HEADER = 'x-refresh-rotate';

/**
 * The shape of apps with `GET /api/users/rtVerify`. Their claim `userId` and their own tokens
 * need `access: { subjectClaim: 'userId', legacy: true }` in the configuration.
 */
export function rtVerify(options: RtVerifyOptions = {}): RtVerifyPreset {
  const { language = 'ko', messageStyle = 'prefixed', failedApi = {} } = options;
  const { authenticate: authenticateName = 'authenticate', rtVerify: routeName = 'rtVerify' } = failedApi;
  const wording = { language, messageStyle };

  return {
    authenticate: (auth, { loadUser } = {}) =>
      middleware(auth, (req) => auth.verifyBearer(presentedAccess(req)), {
        loadUser,
        onError: (err, req, _res, next) =>
          next(legacy.legacyError(wording, accessAnswer(err, req), authenticateName, err)),
      }),

    rtVerify: (auth, { claims } = {}) => (req, res, next) => {
      noStore(res);
      renew(auth, req, claims)
        .then((renewed) => answerRenewed(res, renewed, options))
        .catch((thrown: unknown) => {
          if (!(thrown instanceof AuthError)) return next(thrown);
          next(legacy.legacyError(wording, refreshAnswer(thrown), routeName, thrown));
        });
    },

    loginResponse(res, pair) {
      const accessToken = setCookie(res, pair, options);
      noStore(res);
      res.json({ accessToken, refreshToken: bearer(pair.refreshToken), userId: pair.subject });
    },
  };
}

/** Empty counts as absent where the other place has a value. */
function presentedAccess(req: Request): string | undefined {
  const value = header(req, ACCESS_HEADER);
  return value || (readCookie(req, ACCESS_COOKIE) ?? value);
}

function accessAnswer(err: AuthError, req: Request): legacy.LegacyAnswer {
  if (err.code !== 'ERR_TOKEN_MISSING') return legacy.ACCESS_REFUSED;
  return presentedAccess(req) === undefined ? legacy.ACCESS_ABSENT : legacy.ACCESS_NOT_BEARER;
}

async function renew(auth: Auth, req: Request, claims: ClaimsSource | undefined): Promise<Renewed> {
  const token = auth.bearerToken(header(req, REFRESH_HEADER));
  const subject = header(req, USER_HEADER);
  // Old clients always send it; one that does not is not who it says.
  if (subject === undefined) throw auth.error('ERR_SUBJECT_MISMATCH');
  return auth.refresh(token, { subject, claims, rotate: header(req, ROTATE_HEADER) === '1', address: addressOf(req) });
}

function refreshAnswer({ code }: AuthError): legacy.LegacyAnswer {
  if (code === 'ERR_TOKEN_MISSING' || code === 'ERR_TOKEN_MALFORMED') return legacy.REFRESH_MALFORMED;
  return code === 'ERR_SESSION_UNKNOWN' ? legacy.REFRESH_UNKNOWN : legacy.REFRESH_REFUSED;
}

function answerRenewed(res: Response, renewed: Renewed, options: RtVerifyOptions): void {
  const accessToken = setCookie(res, renewed, options);
  const next = renewed.rotated ? { refreshToken: bearer(renewed.refreshToken) } : {};
  res.json({ accessToken, ...next });
}

/**
 * Sets `accessToken=Bearer <jwt>`. Without an expiry, as it was: the middleware is to tell an
 * expired token (403) from none at all (400).
 */
function setCookie(res: Response, pair: TokenPair, options: RtVerifyOptions): string {
  const { secure = true, httpOnly = false } = options;
  const value = bearer(pair.accessToken);
  res.cookie(ACCESS_COOKIE, value, { secure, httpOnly, sameSite: 'lax', path: '/' });
  return value;
}

function bearer(token: string): string {
  return `Bearer ${token}`;
}
