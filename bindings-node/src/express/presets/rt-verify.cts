/**
 * The shape of apps with `GET /api/users/rtVerify`, field for field, so that their front ends
 * and error handlers stay as they are.
 */
import type { Request, RequestHandler, Response } from 'express';
import type { Auth, ClaimsSource } from '../../auth.cjs';
import { AuthError } from '../../auth-error.cjs';
import type { AccessClaims } from '../../claims.cjs';
import type { Language } from '../../error-codes.cjs';
import type { Renewed, TokenPair } from '../../tokens.cjs';
import { addressOf, header, readCookie } from '../../http/request.cjs';
import { middleware } from '../middleware.cjs';
import { noStore } from '../respond.cjs';
import { oldError, type MessageStyle, type RtVerifyError } from './rt-verify-error.cjs';
import * as old from './rt-verify-texts.cjs';

/** How the preset speaks and which names it goes by. */
export interface RtVerifyOptions {
  /** The language of the texts; default `'ko'`, the very words of the old apps. */
  language?: Language | undefined;
  /** How `message` is written: `prefixed` (default) is `<status>/<text>`. `text` is always plain. */
  messageStyle?: MessageStyle | undefined;
  /** Whether the cookie is sent over HTTPS alone; default true. */
  secure?: boolean | undefined;
  /** Whether scripts cannot read the cookie; default false, because old front ends read it. */
  httpOnly?: boolean | undefined;
  /** What `failedApi` says; default `authenticate` and `rtVerify`. */
  failedApi?: FailedApi | undefined;
}

/** What the field `failedApi` of an answer says, by where the failure was. */
export interface FailedApi {
  /** In the middleware. */
  authenticate?: string | undefined;
  /** In the refresh endpoint. */
  rtVerify?: string | undefined;
}

/** What the middleware of the preset takes. `T`: the app's own claims. */
export interface RtVerifyAuthenticateOptions<T extends object = object> {
  /** Loads the row that becomes `res.locals.user`. No row is refused as a bad token is. */
  loadUser?: ((userId: string, claims: AccessClaims & T, req: Request) => unknown) | undefined;
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
   * The refresh token stays the same, because old clients keep the one of their login. A client
   * that sends `x-refresh-rotate: 1` gets the next one too, as `refreshToken: 'Bearer <jwt>'`.
   *
   * @param options - `claims`: the app's own claims for the new access token.
   */
  rtVerify(auth: Auth, options?: { claims?: ClaimsSource | undefined }): RequestHandler;
  /** Sets the cookie and answers `{ accessToken, refreshToken, userId }`, tokens as `Bearer <jwt>`. */
  loginResponse(res: Response, pair: TokenPair): void;
}

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
          next(oldError(wording, accessAnswer(err, req), authenticateName, err)),
      }),

    rtVerify: (auth, { claims } = {}) => (req, res, next) => {
      noStore(res);
      renew(auth, req, claims)
        .then((renewed) => answerRenewed(res, renewed, options))
        .catch((thrown: unknown) => {
          if (!(thrown instanceof AuthError)) return next(thrown);
          next(oldError(wording, refreshAnswer(thrown), routeName, thrown));
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

function accessAnswer(err: AuthError, req: Request): old.OldAnswer {
  if (err.code !== 'ERR_TOKEN_MISSING') return old.ACCESS_REFUSED;
  return presentedAccess(req) === undefined ? old.ACCESS_ABSENT : old.ACCESS_NOT_BEARER;
}

async function renew(auth: Auth, req: Request, claims: ClaimsSource | undefined): Promise<Renewed> {
  const token = auth.bearerToken(header(req, REFRESH_HEADER));
  const subject = header(req, USER_HEADER);
  // Old clients always send it; one that does not is not who it says.
  if (subject === undefined) throw auth.error('ERR_SUBJECT_MISMATCH');
  return auth.refresh(token, { subject, claims, rotate: header(req, ROTATE_HEADER) === '1', address: addressOf(req) });
}

function refreshAnswer({ code }: AuthError): old.OldAnswer {
  if (code === 'ERR_TOKEN_MISSING' || code === 'ERR_TOKEN_MALFORMED') return old.REFRESH_MALFORMED;
  return code === 'ERR_SESSION_UNKNOWN' ? old.REFRESH_UNKNOWN : old.REFRESH_REFUSED;
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
