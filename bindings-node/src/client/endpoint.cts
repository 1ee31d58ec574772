/** What the responses of the server mean: tokens, a final rejection, or nothing about the session. */
import { tokenTimes, type Pair, type RefreshAnswer, type SignedOut, type StorageRead } from './machine.cjs';

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
  /** @internal The status of a session that is over. */
  readonly ended?: number | undefined;
}

/** A token without its scheme; `undefined` if there is none. */
export function withoutScheme(value: unknown): string | undefined {
  return typeof value === 'string' ? value.replace(/^bearer +/i, '') || undefined : undefined;
}

/** The tokens in the body of a response. In cookie mode the access token names the pair. */
function tokensOf({ accessToken, refreshToken, expiresIn }: Record<string, unknown>, tokens: Tokens | undefined) {
  const access = withoutScheme(accessToken);
  return {
    access,
    refresh: withoutScheme(tokens ? refreshToken : accessToken),
    lifetime: (expiresIn as number) > 0 ? (expiresIn as number) * 1000 : undefined,
  };
}

/** The pair of a login; `undefined` if a token is missing. */
export function pairOf(body: unknown, tokens: Tokens | undefined): Pair | undefined {
  const members = Object(body);
  const { access, refresh, lifetime } = tokensOf(members, tokens);
  if (!access || !refresh) return undefined;
  const times = tokenTimes(access, lifetime);
  return { ...times, refresh, user: (members.userId ?? times.subject)?.toString() };
}

/**
 * What the response to a refresh means. Anything but tokens or a known final rejection keeps the tokens: it may be a
 * captive portal or the error page of a proxy.
 */
export function readAnswer({ status, headers }: Pick<Response, 'status' | 'headers'>, text: string, tokens: Tokens | undefined): RefreshAnswer {
  let body: Record<string, unknown> = {};
  try {
    body = Object(JSON.parse(text));
  } catch {
    // Not JSON: it says nothing about the session.
  }
  const date = Date.parse(headers.get('date')!) || undefined;
  const { access, ...granted } = tokensOf(body, tokens);
  if (status < 300) {
    if (access) return { granted: { access, ...granted, date } };
    // Whatever else a success says, it is no rejection.
    body = {};
  }
  const { code: ownCode, advice, reason: revocation } = Object(body['error']);
  // Legacy apps usually put the error code at the top level.
  const code = `${ownCode ?? body['code'] ?? ''}`;
  if (code === 'ERR_REFRESH_SUPERSEDED' || status === tokens?.superseded) return { superseded: true };
  const known = /^ERR_(?:REFRESH|SESSION)_(EXPIRED|REUSED|REVOKED|UNKNOWN)$/.exec(code)?.[1];
  // Where the server rejects a cookie, it removes it: that may have been another one, and the next answer tells.
  const isFinal = known || advice === 'sign_in' || (tokens && (advice ? advice === 'reject' : status === tokens.ended));
  // A rejected DPoP proof says nothing about the session.
  if (isFinal && !/^ERR_DPOP/.test(code)) {
    // Both holders are told about reuse, whichever of them was detected.
    const reason = revocation === 'reused' ? revocation : known?.toLowerCase() ?? (code === 'ERR_TOKEN_MISSING' ? 'not_signed_in' : 'rejected');
    return { signedOut: { reason: reason as SignedOut['reason'], code, revocation } };
  }
  // RFC 9110 §10.2.3: seconds, or a date.
  const retryAfter = headers.get('retry-after')!;
  const span = Number(retryAfter) * 1000 || Date.parse(retryAfter) - (date ?? Date.now());
  return { failure: { reason: 'server', status, code }, retryAfter: span > 0 ? span : undefined };
}
