/** The answers of login, refresh and logout. */
import type { Auth, ClaimsSource } from '../auth.cjs';
import { AuthError } from '../auth-error.cjs';
import type { TokenPair } from '../tokens.cjs';
import { answer, type HttpAnswer } from './answer.cjs';
import { accessCookie, clearedCookies, refreshCookie, refreshCookieName, type TransportOptions } from './cookies.cjs';
import { presentedRefreshToken } from './presented.cjs';
import { proofOf } from './proof.cjs';
import { addressOf, type HttpRequest } from './request.cjs';
import type { OriginOptions } from './same-site.cjs';

/** What clients are told, in the names of RFC 6749 §5.1 as JavaScript writes them. */
export interface TokenAnswer {
  /** The access token, for `Authorization: Bearer` (RFC 6750 §2.1). */
  accessToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
  /** Only with `cookie: false`. */
  refreshToken?: string;
}

/** How the refresh endpoint takes and gives tokens. */
export interface RefreshOptions extends TransportOptions, OriginOptions {
  /** The app's own claims for the new access token. A refresh does not carry the old ones over. */
  claims?: ClaimsSource | undefined;
  /** Asks for a next refresh token, or for none, whatever the configuration says. */
  rotate?: boolean | undefined;
  /**
   * The address of the client, for `refresh.limiter`. Default: `ip` of Express and Fastify, else the
   * other end of the connection; none for the `Request` of the Fetch API, whose forged tokens are
   * then not counted.
   */
  address?: ((request: HttpRequest) => string | undefined) | undefined;
}

/** How logout finds the refresh token. */
export interface LogoutOptions extends TransportOptions, OriginOptions {}

/**
 * The answer to a login: `{ accessToken, expiresIn }` and the refresh token as a cookie, or with
 * `cookie: false` as `refreshToken`.
 */
export function loginAnswer(pair: TokenPair, options: TransportOptions = {}): HttpAnswer {
  return tokenAnswer(pair, options, refreshCookie(pair, options));
}

/**
 * Exchanges the refresh token of a request (RFC 6749 §6, RFC 9700 §4.14.2). The cookie of a
 * foreign page's request does not count.
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
 * Ends the session of a request's refresh token; also where there is none to end.
 *
 * @throws AuthError `ERR_STORE_UNAVAILABLE`: the cookies stay, so that it can be tried again.
 */
export async function endSession(auth: Auth, request: HttpRequest, options: LogoutOptions): Promise<HttpAnswer> {
  try {
    await auth.logout(presentedRefreshToken(request, options));
  } catch (thrown) {
    // What is no refresh token of ours, or none at all, has no session: the user is logged out.
    const over = thrown instanceof AuthError && (thrown.advice === 'sign_in' || thrown.advice === 'reject');
    if (!over) throw thrown;
  }
  return answer(204, undefined, clearedCookies(options));
}
