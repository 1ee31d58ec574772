/** The DPoP proof of a request (RFC 9449). */

/** A proof and the request that it must match. `proofOf` of `regrant/http` reads it from a request. */
export interface RequestProof {
  /** The value of the header `DPoP`. */
  readonly proof: string;
  /** The method of the request. */
  readonly method: string;
  /** The path of the request as the client sent it, with or without a query. */
  readonly path: string;
}
