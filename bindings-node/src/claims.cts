/** The content of access tokens. */

/** The claims of an access token, as signed: the registered ones (RFC 7519 §4.1) and the app's. */
export interface AccessClaims {
  /** The user. Absent from tokens of an app that names it otherwise. */
  readonly sub?: string;
  /** The session. */
  readonly sid?: string;
  /** When it was issued; seconds since 1970. */
  readonly iat?: number;
  /** When it expires; seconds since 1970. */
  readonly exp: number;
  /** Who issued it. */
  readonly iss?: string;
  /** Whom it is for. */
  readonly aud?: string | readonly string[];
  /** Its own id. */
  readonly jti?: string;
  readonly [claim: string]: unknown;
}

/** A verified access token. `T`: the app's own claims. */
export interface VerifiedAccess<T extends object = object> {
  /** The user: the configured subject claim, else `sub`. */
  readonly subject: string;
  /** The session; absent from tokens of a legacy app. */
  readonly sessionId?: string;
  /** All claims, as signed. They may be parsed when they are first read. */
  readonly claims: AccessClaims & T;
}
