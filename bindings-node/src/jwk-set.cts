/** Public keys as JSON. */

/** A public key (RFC 7517 §4). Its other members depend on the key type (RFC 7518 §6, RFC 8037 §2). */
export interface PublicJwk {
  /** The key type. */
  readonly kty: 'RSA' | 'EC' | 'OKP';
  /** The algorithm. */
  readonly alg: string;
  /** For signatures. */
  readonly use: 'sig';
  /** The key's name: the `kid` of its tokens. */
  readonly kid?: string;
  /** The members of the key type: `n` and `e`, or `crv`, `x` and `y`. */
  readonly [member: string]: string | undefined;
}

/** A JWK Set (RFC 7517 §5). */
export interface JwkSet {
  /** The keys. */
  readonly keys: readonly PublicJwk[];
}
