/** The preset for apps with `GET /api/users/rtVerify`. */
import { parse } from 'cookie';
import type { Request, Response } from 'express';
import type { Auth } from '../auth.cjs';
import { checkArgument, checkOptions, isAnything } from '../arguments.cjs';
import { Catalog, isAuthError, type AuthError } from '../catalog.cjs';
import type { ErrorCode } from '../error-codes.cjs';
import { isPair } from '../http/endpoints.cjs';
import { checkAuth, checkHandlerOptions, refuseOptions, webOf } from '../http/guard.cjs';
import { appError, clientOf, cookiePairs, header, headOf } from '../http/request.cjs';
import type { ClaimsSource, Renewed, TokenPair } from '../session.cjs';
import type { Web } from '../web.cjs';
import { middleware, noStore } from './middleware.cjs';
import * as legacy from './rt-verify.cjs';
import type { RtVerifyAuthenticateOptions, RtVerifyOptions, RtVerifyPreset } from './rt-verify.cjs';

const ACCESS_HEADER = 'accesstoken';
const ACCESS_COOKIE = 'accessToken';
const REFRESH_HEADER = 'refreshtoken';
const USER_HEADER = 'userid';
const ROTATE_HEADER = 'x-refresh-rotate';
const USER_CLAIM = 'userId';
const REFRESH_API = 'refreshToken 검증';

/**
 * The shape of apps with `GET /api/users/rtVerify`. Their claim `userId` and their own tokens
 * need `access: { subjectClaim: 'userId', legacy: true }` in the configuration, and `numericSubject: true` if the ids are
 * numbers.
 */
export function rtVerify(options: RtVerifyOptions = {}): RtVerifyPreset {
  checkHandlerOptions(options, legacy.rtVerifyChecks, 'accessCookie');
  const { language = 'ko', messageStyle = 'prefixed', failedApi = {} } = options;
  checkOptions(failedApi, legacy.failedApiChecks, new Catalog(), 'failedApi');
  if (options.sameSite === 'none' && !options.secure) {
    throw new Catalog().argumentInvalid('sameSite', "browsers drop a cookie with SameSite=None without Secure: set secure to true or 'auto'");
  }
  const { authenticate: authenticateName, rtVerify: routeName = REFRESH_API } = failedApi;
  const wording = { language, messageStyle };

  return {
    authenticate: <T extends object>(auth: Auth, authenticateOptions: RtVerifyAuthenticateOptions<T> = {}) => {
      checkAuth(auth);
      checkHandlerOptions(authenticateOptions, legacy.authenticateChecks, 'accessCookie');
      const { loadUser } = authenticateOptions;
      const web = webOf(auth);
      /** The value of the header, else of the cookie. Empty is absent, in both places. */
      const presented = (req: Request) => header(req, ACCESS_HEADER) || presentedCookie(req, web, options) || undefined;
      return middleware<T>(auth, (req) => auth.verifyAccess<T>(afterBearer(presented(req))), {
        loadUser: loadUser && ((subject, claims, req) => loadUser(claims[USER_CLAIM] ?? subject, claims, req)),
        onError: (err, req, _res, next) =>
          next(legacy.legacyError(wording, accessAnswer(err, presented(req)), authenticateName, err)),
      });
    },

    rtVerify: (auth, routeOptions = {}) => {
      checkAuth(auth);
      checkHandlerOptions(routeOptions, { claims: isAnything }, 'refreshCookie');
      return (req, res, next) => {
        noStore(res);
        renew(auth, req, routeOptions.claims)
          .then((renewed) => answerRenewed(res, renewed, options))
          .catch((thrown: unknown) => {
            if (!isAuthError(thrown) || res.headersSent) return next(appError(thrown));
            next(legacy.legacyError(wording, refreshAnswer(thrown), routeName, thrown));
          });
      };
    },

    loginResponse(res, pair) {
      refuseOptions(arguments[2]);
      checkArgument('pair', pair, isPair, new Catalog());
      if (typeof res?.cookie !== 'function') throw new Catalog().argumentInvalid('res', 'expected a response of Express');
      const userId = userIdOf(pair);
      const accessToken = setCookie(res, pair, options);
      noStore(res);
      res.json({ accessToken, refreshToken: bearer(pair.refreshToken), userId });
    },
  };
}

/** The cookie, unless a page of another origin may change something with it: as in `authenticate`. */
function presentedCookie(req: Request, web: Web, { checkOrigin = true }: RtVerifyOptions): string | undefined {
  const parsed: unknown = req.cookies;
  const cookies = typeof parsed === 'object' && parsed !== null ? parsed : parse(req.headers.cookie ?? '');
  const value = cookiePairs(cookies).find(([name]) => name === ACCESS_COOKIE)?.[1];
  if (typeof value !== 'string') return undefined;
  return !checkOrigin || web.native.acceptsCookies(headOf(req, web)) ? value : undefined;
}

/** What follows `Bearer` and one blank, as the legacy apps split it; `undefined` for any other value. */
function afterBearer(value: string | undefined): string | undefined {
  const [scheme, token] = value?.split(' ') ?? [];
  return scheme === 'Bearer' && token ? token : undefined;
}

function accessAnswer(err: AuthError, presented: string | undefined): legacy.LegacyAnswer {
  if (err.code !== 'ERR_TOKEN_MISSING') return legacy.ACCESS_REFUSED;
  return presented === undefined ? legacy.ACCESS_ABSENT : legacy.ACCESS_NOT_BEARER;
}

async function renew(auth: Auth, req: Request, claims: ClaimsSource | undefined): Promise<Renewed> {
  const token = afterBearer(header(req, REFRESH_HEADER));
  if (token === undefined) throw auth.error('ERR_TOKEN_MISSING');
  const subject = header(req, USER_HEADER);
  // Old clients always send it; one that does not is not who it says.
  if (!subject) throw auth.error('ERR_SUBJECT_MISMATCH');
  const source: ClaimsSource | undefined =
    typeof claims === 'function' ? (user, session) => claims(user, { ...session, request: req }) : claims;
  return auth.refresh(token, { subject, claims: source, rotate: header(req, ROTATE_HEADER) === '1', ...clientOf(req) });
}

/** What the legacy apps do not find in their store: they look it up before they verify. */
const NOT_IN_STORE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ERR_SESSION_UNKNOWN', 'ERR_SESSION_REVOKED', 'ERR_TOO_MANY_ATTEMPTS', 'ERR_TOKEN_MALFORMED', 'ERR_TOKEN_TOO_LARGE',
  'ERR_ALG_NOT_ALLOWED', 'ERR_KEY_NOT_FOUND', 'ERR_SIGNATURE_INVALID', 'ERR_TYP_MISMATCH', 'ERR_CRIT_UNSUPPORTED',
]);

function refreshAnswer({ code }: AuthError): legacy.LegacyAnswer {
  if (code === 'ERR_TOKEN_MISSING') return legacy.REFRESH_MALFORMED;
  return NOT_IN_STORE.has(code) ? legacy.REFRESH_UNKNOWN : legacy.REFRESH_REFUSED;
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
  const { secure = false, httpOnly = false, sameSite } = options;
  const value = bearer(pair.accessToken);
  res.cookie(ACCESS_COOKIE, value, {
    path: '/',
    secure: secure === 'auto' ? res.req.secure : secure,
    httpOnly,
    ...(sameSite && { sameSite }),
  });
  return value;
}

function bearer(token: string): string {
  return `Bearer ${token}`;
}

/**
 * The user's id as the access token says it.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID` for what is no token.
 */
function userIdOf({ accessToken, subject }: TokenPair): unknown {
  const [, payload = ''] = accessToken.split('.');
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    return claims[USER_CLAIM] ?? subject;
  } catch {
    // Without the cause, whose message quotes the token.
    throw new Catalog().argumentInvalid('pair', `expected ${isPair.expected}`);
  }
}
