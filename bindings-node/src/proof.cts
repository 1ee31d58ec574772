/** The proof of a key that comes with a request (DPoP, RFC 9449). */

/** A proof, and the request that it must be for. `proofOf` of `regrant/http` reads it from a request. */
export interface RequestProof {
  /** The value of the header `DPoP`. */
  readonly proof: string;
  /** The method of the request. */
  readonly method: string;
  /** Its path, as the client has asked for it; a query may follow. */
  readonly path: string;
}
