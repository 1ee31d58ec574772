/** What the responses of the server mean: tokens, a final rejection, or nothing about the session. */
import { tokenTimes, type Grant, type Pair, type RefreshAnswer, type StorageRead } from './machine.cjs';

/** The body of a login response. */
export interface LoginBody {
  /** The access token. */
  accessToken: string;
  /** The lifetime of the access token in seconds; not needed for a JWT with `iat` and `exp`. */
  expiresIn?: number | undefined;
  /** The refresh token; not with a refresh cookie. */
  refreshToken?: string | undefined;
  /** The user's id, which apps with `rtVerify` expect in a header. */
  userId?: string | number | undefined;
}

/** Where the tokens are. */
export interface Store {
  read(): StorageRead | Promise<StorageRead>;
  write(pair: Pair): unknown;
  clear(): unknown;
}

/** `localStorage`, `sessionStorage`, or a storage with the same methods that return promises, as `AsyncStorage` of React Native. */
export interface ItemStorage {
  /** The item, `null` if there is none. */
  getItem(key: string): string | null | Promise<string | null>;
  /** Stores an item. */
  setItem(key: string, value: string): void | Promise<void>;
  /** Removes an item, if there is one. */
  removeItem(key: string): void | Promise<void>;
}

/** Where both tokens are kept and how they travel: what `storedTokens` and `rtVerify` return. */
export interface Tokens {
  /** @internal */
  readonly store: Store;
  /** @internal For the client's own notes. */
  readonly storage: ItemStorage;
  /** @internal The request that refreshes a pair, or ends its session. */
  request(pair: Partial<Pair>): RequestInit;
  /** @internal The header of the access token. */
  readonly header?: string | undefined;
  /** @internal The statuses with which the server rejects an access token. */
  readonly rejections?: readonly number[] | undefined;
  /** @internal The status of a refresh token that a newer one has superseded. */
  readonly superseded?: number | undefined;
  /** @internal Whether a rejected refresh without the advice `sign_in` ends the session. */
  isOver(status: number, advice: string | undefined): boolean;
}

/** A token without its scheme; `undefined` if there is none. */
export function withoutScheme(value: unknown): string | undefined {
  return typeof value === 'string' ? value.replace(/^bearer +/i, '') || undefined : undefined;
}

/** The tokens in the body of a response; `undefined` without an access token. In cookie mode the access token names the pair. */
export function tokensOf(body: unknown, tokens: Tokens | undefined): Grant | undefined {
  const { accessToken, refreshToken, expiresIn, userId: user } = Object(body);
  const access = withoutScheme(accessToken);
  const lifetime = expiresIn > 0 ? expiresIn * 1000 : undefined;
  return access ? { ...tokenTimes(access, lifetime), refresh: tokens ? withoutScheme(refreshToken) : access, user } : undefined;
}

/** What the response to a refresh or a logout means. */
export interface Answer extends RefreshAnswer {
  /** To a logout: whether the session is over. `false`: the server refuses, and would again. Absent: a temporary failure. */
  revoked?: boolean | undefined;
}

/**
 * What the response to a refresh or a logout means. Anything but tokens or a known final rejection keeps the tokens: it may be a
 * captive portal or the error page of a proxy.
 */
export function readAnswer({ status, headers }: Pick<Response, 'status' | 'headers'>, text: string, tokens: Tokens | undefined): Answer {
  let body: Record<string, unknown> | undefined;
  try {
    // Servers send objects.
    body = /^\s*\{/.test(text) && JSON.parse(text);
  } catch {
    // No JSON.
  }
  const date = Date.parse(headers.get('date')!) || undefined;
  // RFC 9110 §10.2.3: seconds, or a date.
  const after = headers.get('retry-after')!;
  const span = Number(after) * 1000 || Date.parse(after) - (date ?? Date.now());
  // A success is no rejection, whatever its body.
  const { error, code: outerCode } = Object(status < 300 ? undefined : body);
  // Legacy apps usually put the error code at the top level.
  const { code = outerCode, advice: ownAdvice, reason: revocation } = Object(error);
  const known = /^ERR_(?:REFRESH|SESSION)_(EXPIRED|REUSED|REVOKED|UNKNOWN)$/.exec(code)?.[1];
  // Neither a rejected DPoP proof nor a superseded token says that the session is over.
  const advice = /^ERR_(DPOP|REFRESH_SUPERSEDED)/.test(code) ? 'retry' : known ? 'sign_in' : ownAdvice;
  // Both holders are told about reuse, whichever of them was detected.
  const reason = revocation === 'reused' ? revocation : known ? known.toLowerCase() : code === 'ERR_TOKEN_MISSING' ? 'not_signed_in' : 'rejected';
  // There is no such endpoint, or the server rejected the request. An error without JSON may be that of a captive portal.
  const isRefused =
    /^(reject|fix)$/.test(advice) || /^(40[45]|410|501)$/.test(`${status}`) || (body && /^4(?!08|25|29)/.test(`${status}`) && advice !== 'retry' && advice !== 'refresh');
  const superseded = code === 'ERR_REFRESH_SUPERSEDED' || status === tokens?.superseded;
  return {
    granted: status < 300 ? tokensOf(body, tokens) : undefined,
    date,
    superseded,
    // Where the server rejects a cookie, it removes it: that may have been another one, and the next answer tells.
    signedOut: !superseded && (advice === 'sign_in' || tokens?.isOver(status, advice)) ? { reason, code, revocation } : undefined,
    failure: { reason: 'server', status, code },
    retryAfter: span > 0 ? span : undefined,
    revoked: status < 300 || advice === 'sign_in' || (isRefused ? false : undefined),
  };
}
