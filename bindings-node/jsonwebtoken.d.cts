/**
 * The drop-in for npm `jsonwebtoken` 9: the same functions, options, errors and messages.
 *
 * The types are those of `@types/jsonwebtoken`, so that code which compiles with it compiles with
 * these; `expiresIn` and `notBefore` take any text, as they did there until 9.0.7. Spans and
 * instants are seconds, unless it says otherwise. The clock is `Date.now()`.
 *
 * @module regrant/jsonwebtoken
 */
import type { KeyObject, createPrivateKey, createPublicKey } from 'node:crypto';

/** A signature algorithm (RFC 7518 §3.1). */
export type Algorithm =
  | 'HS256'
  | 'HS384'
  | 'HS512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'none';

/** A secret, or a key as text or bytes (PEM), or a private key in PEM that is encrypted. */
export type Secret =
  | string
  | Buffer
  | KeyObject
  | {
    /** The private key in PEM. */
    key: string | Buffer;
    /** What it is encrypted with. */
    passphrase: string;
  };

/** Whatever `createPublicKey` of `node:crypto` takes. */
export type PublicKey = Parameters<typeof createPublicKey>[0];

/** Whatever `createPrivateKey` of `node:crypto` takes. */
export type PrivateKey = Parameters<typeof createPrivateKey>[0];

/** The header of a token (RFC 7515 §4.1). */
export interface JwtHeader {
  /** The algorithm of the signature (§4.1.1). */
  alg: string | Algorithm;
  /** What the token is; `JWT` here (§4.1.9). */
  typ?: string | undefined;
  /** What the payload is, where it is no set of claims (§4.1.10). */
  cty?: string | undefined;
  /** Extensions that must be understood (§4.1.11). Not looked at, as in npm `jsonwebtoken`. */
  crit?: Array<string | Exclude<keyof JwtHeader, 'crit'>> | undefined;
  /** Which key signed it (§4.1.4): a hint for a function `getKey`. */
  kid?: string | undefined;
  /** Where keys are said to be (§4.1.2). Never followed. */
  jku?: string | undefined;
  /** Where a certificate is said to be (§4.1.5). Never followed. */
  x5u?: string | string[] | undefined;
  /** The SHA-256 of a certificate (§4.1.8). Not looked at. */
  'x5t#S256'?: string | undefined;
  /** The SHA-1 of a certificate (§4.1.7). Not looked at. */
  x5t?: string | undefined;
  /** A chain of certificates (§4.1.6). Never trusted. */
  x5c?: string | string[] | undefined;
}

/** The claims of a token (RFC 7519 §4.1), and the app's own. */
export interface JwtPayload {
  // As in `@types/jsonwebtoken`.
  [key: string]: any;
  /** Who issued it. */
  iss?: string | undefined;
  /** Whom it is about. */
  sub?: string | undefined;
  /** Whom it is for. */
  aud?: string | string[] | undefined;
  /** When it expires. Seconds since 1970. */
  exp?: number | undefined;
  /** From when it is good. Seconds since 1970. */
  nbf?: number | undefined;
  /** When it was issued. Seconds since 1970. */
  iat?: number | undefined;
  /** Its name. */
  jti?: string | undefined;
}

/** A token, taken apart: the answer to `complete: true`. */
export interface Jwt {
  /** The header, decoded. */
  header: JwtHeader;
  /** The claims, or the text where the payload is no JSON. */
  payload: JwtPayload | string;
  /** As it stands in the token: base64url. */
  signature: string;
}

/** For {@link sign}. Others are refused. */
export interface SignOptions {
  /** `HS256` by default. */
  algorithm?: Algorithm | undefined;
  /** `kid` of the header. */
  keyid?: string | undefined;
  /** From `iat` to `exp`: seconds, or text such as `2 days`, `10h` (npm `ms`); text without a unit is milliseconds. */
  expiresIn?: string | number | undefined;
  /** From `iat` to `nbf`, written as `expiresIn` is. */
  notBefore?: string | number | undefined;
  /** `aud`. */
  audience?: string | string[] | undefined;
  /** `sub`. */
  subject?: string | undefined;
  /** `iss`. */
  issuer?: string | undefined;
  /** `jti`. */
  jwtid?: string | undefined;
  /** Whether the claims are put into the given object and not into a copy. */
  mutatePayload?: boolean | undefined;
  /** Whether to leave `iat` out. */
  noTimestamp?: boolean | undefined;
  /** More for the header. It overrules what the other options put there, `alg` included. */
  header?: JwtHeader | undefined;
  /** Of a payload that is text. `utf8` by default. */
  encoding?: string | undefined;
  /** Whether RSA keys of less than 2048 bits may sign. */
  allowInsecureKeySizes?: boolean | undefined;
  /** Whether a key may sign by an algorithm that is not for its type or its curve. */
  allowInvalidAsymmetricKeyTypes?: boolean | undefined;
}

/** For {@link verify}. */
export interface VerifyOptions {
  /** Which are accepted. By default those for the type of the key: all HS, or all RS and PS, or all ES. */
  algorithms?: Algorithm[] | undefined;
  /** One of these must be in `aud`. A RegExp may match anywhere unless it is anchored. */
  audience?: string | RegExp | [string | RegExp, ...(string | RegExp)[]] | undefined;
  /** The time, in place of `Date.now()`: seconds since 1970. 0 counts as not given. */
  clockTimestamp?: number | undefined;
  /** How far `nbf`, `exp` and `maxAge` may be off. Seconds. */
  clockTolerance?: number | undefined;
  /** Whether to return header and signature as well. */
  complete?: boolean | undefined;
  /** `iss` must be it, or one of them. */
  issuer?: string | [string, ...string[]] | undefined;
  /** Whether `exp` is not looked at. */
  ignoreExpiration?: boolean | undefined;
  /** Whether `nbf` is not looked at. */
  ignoreNotBefore?: boolean | undefined;
  /** `jti` must be it. */
  jwtid?: string | undefined;
  /** `nonce` must be it (OpenID Connect Core 1.0 §15.5.2). */
  nonce?: string | undefined;
  /** `sub` must be it. */
  subject?: string | undefined;
  /** How long ago `iat` may be: seconds, or text as for `expiresIn`. */
  maxAge?: string | number | undefined;
  /** Whether an algorithm is accepted that is not for the type or the curve of the key. */
  allowInvalidAsymmetricKeyTypes?: boolean | undefined;
}

/** For {@link decode}. */
export interface DecodeOptions {
  /** Whether to return header and signature as well. */
  complete?: boolean | undefined;
  /** Whether to parse the payload although the header has no `typ: JWT`. */
  json?: boolean | undefined;
}

/** Whatever is wrong with a token or with the options, and the parent of the others. */
export class JsonWebTokenError extends Error {
  /** What was given for it. */
  inner: Error;

  /**
   * For code that throws as npm `jsonwebtoken` does.
   *
   * @param error - What was given for it.
   */
  constructor(message: string, error?: Error);
}

/** `exp` or `maxAge` has passed. */
export class TokenExpiredError extends JsonWebTokenError {
  /** When that was. */
  expiredAt: Date;

  /**
   * For code that throws as npm `jsonwebtoken` does.
   *
   * @param expiredAt - When that was.
   */
  constructor(message: string, expiredAt: Date);
}

/** `nbf` has not come yet. */
export class NotBeforeError extends JsonWebTokenError {
  /** When it will have come. */
  date: Date;

  /**
   * For code that throws as npm `jsonwebtoken` does.
   *
   * @param date - When it will have come.
   */
  constructor(message: string, date: Date);
}

/** What {@link verify} refuses with. */
export type VerifyErrors = JsonWebTokenError | NotBeforeError | TokenExpiredError;

/** Gets the answer of {@link verify}. */
export type VerifyCallback<T = Jwt | JwtPayload | string> = (
  error: VerifyErrors | null,
  decoded?: T | undefined,
) => void;

/** Gets the answer of {@link sign}. */
export type SignCallback = (error: Error | null, encoded?: string | undefined) => void;

/** Gets the key that a {@link GetPublicKeyOrSecret} found. */
export type SigningKeyCallback = (error: Error | null, signingKey?: Secret | PublicKey) => void;

/** Finds the key for a token by its header, of which nothing has been checked yet. */
export type GetPublicKeyOrSecret = (header: JwtHeader, callback: SigningKeyCallback) => void;

/**
 * Signs.
 *
 * @param payload - An object of claims; or text or bytes, for which the options that are claims are refused.
 * @param secretOrPrivateKey - A secret for HS256 and the like, a private key for the others.
 * @throws Error for wrong options, claims and keys. With a callback it is handed over instead.
 */
export function sign(
  payload: string | Buffer | object,
  secretOrPrivateKey: Secret | PrivateKey,
  options?: SignOptions,
): string;
export function sign(
  payload: string | Buffer | object,
  secretOrPrivateKey: null,
  options?: SignOptions & { algorithm: 'none' },
): string;
export function sign(
  payload: string | Buffer | object,
  secretOrPrivateKey: Secret | PrivateKey,
  callback: SignCallback,
): void;
export function sign(
  payload: string | Buffer | object,
  secretOrPrivateKey: Secret | PrivateKey,
  options: SignOptions,
  callback: SignCallback,
): void;
export function sign(
  payload: string | Buffer | object,
  secretOrPrivateKey: null,
  options: SignOptions & { algorithm: 'none' },
  callback: SignCallback,
): void;

/**
 * Checks signature and claims.
 *
 * @param secretOrPublicKey - A secret, or a public key or certificate; with a callback it may be a function that finds the key.
 * @returns The payload: an object if it is JSON of one, else text.
 * @throws {@link JsonWebTokenError}. With a callback it is handed over instead.
 */
export function verify(
  token: string,
  secretOrPublicKey: Secret | PublicKey,
  options: VerifyOptions & { complete: true },
): Jwt;
export function verify(
  token: string,
  secretOrPublicKey: Secret | PublicKey,
  options?: VerifyOptions & { complete?: false },
): JwtPayload | string;
export function verify(
  token: string,
  secretOrPublicKey: Secret | PublicKey,
  options?: VerifyOptions,
): Jwt | JwtPayload | string;
export function verify(
  token: string,
  secretOrPublicKey: Secret | PublicKey | GetPublicKeyOrSecret,
  callback?: VerifyCallback<JwtPayload | string>,
): void;
export function verify(
  token: string,
  secretOrPublicKey: Secret | PublicKey | GetPublicKeyOrSecret,
  options: VerifyOptions & { complete: true },
  callback?: VerifyCallback<Jwt>,
): void;
export function verify(
  token: string,
  secretOrPublicKey: Secret | PublicKey | GetPublicKeyOrSecret,
  options?: VerifyOptions & { complete?: false },
  callback?: VerifyCallback<JwtPayload | string>,
): void;
export function verify(
  token: string,
  secretOrPublicKey: Secret | PublicKey | GetPublicKeyOrSecret,
  options?: VerifyOptions,
  callback?: VerifyCallback,
): void;

/**
 * What a token says, without checking who signed it. Null when it is not a token.
 *
 * @throws SyntaxError when the header says `typ: JWT` and the payload is not JSON.
 */
export function decode(token: string, options: DecodeOptions & { complete: true }): null | Jwt;
export function decode(token: string, options: DecodeOptions & { json: true }): null | JwtPayload;
export function decode(token: string, options?: DecodeOptions): null | JwtPayload | string;
