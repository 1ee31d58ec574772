/** Login, refresh and logout. */
import type { Auth, ClaimsSource } from '../auth.cjs';
import { AuthError } from '../auth-error.cjs';
import type { TokenPair } from '../tokens.cjs';
import { answer, type HttpAnswer } from './answer.cjs';
import { accessCookie, clearedCookies, refreshCookie, refreshCookieName, type TransportOptions } from './cookies.cjs';
import { presentedRefreshToken } from './presented.cjs';
import { proofOf } from './proof.cjs';
import { addressOf, type HttpRequest } from './request.cjs';
import type { OriginOptions } from './same-site.cjs';

/** The response body, with the names of RFC 6749 §5.1 in camel case. */
export interface TokenAnswer {
  /** The access token, for `Authorization: Bearer` (RFC 6750 §2.1). */
  accessToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
  /** Only with `cookie: false`. */
  refreshToken?: string;
}

/** The options of the refresh endpoint. */
export interface RefreshOptions extends TransportOptions, OriginOptions {
  /** The app's own claims for the new access token. The previous ones are not carried over. */
  claims?: ClaimsSource | undefined;
  /** Overrides `refresh.rotation`. */
  rotate?: boolean | undefined;
  /**
   * The address of the client, for `refresh.limiter`. By default `ip` of Express and Fastify, else the
   * peer of the connection. The `Request` of the Fetch API has none: failures are then not counted per
   * address.
   */
  address?: ((request: HttpRequest) => string | undefined) | undefined;
}

/** How logout finds the refresh token. */
export interface LogoutOptions extends TransportOptions, OriginOptions {}

/**
 * The response to a login: `{ accessToken, expiresIn }` and the refresh token as a cookie, or with
 * `cookie: false` as `refreshToken`.
 */
export function loginAnswer(pair: TokenPair, options: TransportOptions = {}): HttpAnswer {
  return tokenAnswer(pair, options, refreshCookie(pair, options));
}

/**
 * Exchanges the refresh token of a request (RFC 6749 §6, RFC 9700 §4.14.2). The cookie of a cross-origin
 * request is ignored.
 *
 * @throws AuthError as `auth.refresh`.
 */
export async function renew(auth: Auth, request: HttpRequest, options: RefreshOptions): Promise<HttpAnswer> {
  const { claims, rotate } = options;
  const token = presentedRefreshToken(request, options);
  const proof = auth.checksProofs ? proofOf(request) : undefined;
  const address = (options.address ?? addressOf)(request);
  const renewed = await auth.refresh(token, { claims, rotate, proof, address });
  const sent = tokenAnswer(renewed, options, renewed.rotated ? refreshCookie(renewed, options) : []);
  const nonce = auth.proofNonce;
  return nonce === null ? sent : { ...sent, headers: { ...sent.headers, 'DPoP-Nonce': nonce } };
}

function tokenAnswer(pair: TokenPair, options: TransportOptions, cookies: readonly string[]): HttpAnswer {
  const body: TokenAnswer = { accessToken: pair.accessToken, expiresIn: pair.accessExpiresIn };
  if (refreshCookieName(options) === undefined) body.refreshToken = pair.refreshToken;
  return answer(200, body, [...cookies, ...accessCookie(pair, options)]);
}

/**
 * Revokes the session of a request's refresh token, if there is one.
 *
 * @throws AuthError `ERR_STORE_UNAVAILABLE`: the cookies stay, so that the client can retry.
 */
export async function endSession(auth: Auth, request: HttpRequest, options: LogoutOptions): Promise<HttpAnswer> {
  try {
    await auth.logout(presentedRefreshToken(request, options));
  } catch (thrown) {
    // No valid refresh token, so no session: the user is logged out.
    const loggedOut = thrown instanceof AuthError && (thrown.advice === 'sign_in' || thrown.advice === 'reject');
    if (!loggedOut) throw thrown;
  }
  return answer(204, undefined, clearedCookies(options));
}
