/** Public keys as JSON. */

/** A public key (RFC 7517 §4). Which members it has beside these depends on its kind (RFC 7518 §6, RFC 8037 §2). */
export interface PublicJwk {
  /** The kind of key. */
  readonly kty: 'RSA' | 'EC' | 'OKP';
  /** The one algorithm that it is for. */
  readonly alg: string;
  /** That it is for signatures. */
  readonly use: 'sig';
  /** Its name, which tokens have as `kid`. */
  readonly kid?: string;
  /** The members of its kind: `n` and `e`, or `crv`, `x` and `y`. */
  readonly [member: string]: string | undefined;
}

/** A JWK Set (RFC 7517 §5). */
export interface JwkSet {
  /** The keys. */
  readonly keys: readonly PublicJwk[];
}
