/** The verifier of tokens of other services. */
import { bearer, type NativeJwksVerifier, type NativeResult } from '../native.cjs';
import type { AuthError } from './auth-error.cjs';
import type { Catalog } from './catalog.cjs';
import type { VerifiedAccess } from './claims.cjs';
import type { ErrorCode } from './error-codes.cjs';
import type { RequestProof } from './proof.cjs';
import { parseTuple } from './token-cache.cjs';

/**
 * Verifies the access tokens of the configured issuers. Made by `createVerifier`. The middleware of
 * `regrant/express`, `regrant/fastify` and `regrant/http` takes it in place of an auth object.
 */
export class Verifier {
  readonly #native: NativeJwksVerifier;
  readonly #catalog: Catalog;

  /** @internal */
  constructor(native: NativeJwksVerifier, catalog: Catalog) {
    this.#native = native;
    this.#catalog = catalog;
  }

  /** The middleware calls the methods ending in `Async`, because a verification may have to fetch keys. */
  readonly fetchesKeys = true as const;

  /**
   * Verifies an access token by the keys at hand: in-process, without I/O. Missing keys are fetched in the background.
   *
   * @typeParam T - The claims beside the registered ones.
   * @throws {@link AuthError} `ERR_TOKEN_EXPIRED`, `ERR_TOKEN_MISSING`, `ERR_ISSUER_MISMATCH` and the other codes with
   * the advice `reject`; `ERR_KEYS_UNAVAILABLE`: try again.
   */
  verifyAccess<T extends object = object>(token: string | undefined): VerifiedAccess<T> {
    return parseTuple(this.#text(this.#native.verify(this.#present(token)))) as VerifiedAccess<T>;
  }

  /**
   * As {@link Verifier.verifyAccess}, but waits for the issuer's keys where they are missing, or where the token names
   * a new one.
   *
   * @throws {@link AuthError} as {@link Verifier.verifyAccess}.
   */
  async verifyAccessAsync<T extends object = object>(token: string | undefined): Promise<VerifiedAccess<T>> {
    const text = this.#present(token);
    const result = this.#native.tryVerify(text) ?? (await this.#native.verifyOrFetch(text));
    return parseTuple(this.#text(result)) as VerifiedAccess<T>;
  }

  /**
   * As {@link Verifier.verifyAccess}, of the value of an `Authorization` header (RFC 6750 §2.1).
   *
   * @throws {@link AuthError} `ERR_TOKEN_MISSING` without a Bearer token, else as {@link Verifier.verifyAccess}.
   */
  verifyBearer<T extends object = object>(header: string | undefined): VerifiedAccess<T> {
    return this.verifyAccess<T>(this.#text(bearer(header ?? '')));
  }

  /**
   * As {@link Verifier.verifyAccessAsync}, of the value of an `Authorization` header.
   *
   * @throws {@link AuthError} as {@link Verifier.verifyBearer}.
   */
  async verifyBearerAsync<T extends object = object>(header: string | undefined): Promise<VerifiedAccess<T>> {
    return this.verifyAccessAsync<T>(this.#text(bearer(header ?? '')));
  }

  /**
   * As {@link Verifier.verifyAccessAsync}, for a token that is bound to a key: also checks the proof of that key
   * (RFC 9449 §7.1). A proof is good once.
   *
   * @throws {@link AuthError} as {@link Verifier.verifyAccess}; `ERR_DPOP_PROOF_INVALID`,
   * `ERR_DPOP_PROOF_REPLAYED`; `ERR_CONFIG_INVALID` without `dpop`.
   */
  async verifyWithProofAsync<T extends object = object>(
    token: string | undefined,
    proof: RequestProof,
  ): Promise<VerifiedAccess<T>> {
    const result = await this.#native.verifyWithProof(this.#present(token), proof);
    return parseTuple(this.#text(result)) as VerifiedAccess<T>;
  }

  /** Whether tokens that are bound to keys are accepted, with a proof: whether the configuration has `dpop`. */
  get checksProofs(): boolean {
    return this.#native.checksProofs;
  }

  /**
   * Fetches the keys that are not there yet: for a program that is to start with them, or not at all.
   *
   * @throws {@link AuthError} `ERR_KEYS_UNAVAILABLE`; its `cause` names the address.
   */
  async ready(): Promise<void> {
    this.#text(await this.#native.ready());
  }

  /** An error of this verifier, in its language: for apps that refuse for reasons of their own. */
  error(code: ErrorCode, options: { detail?: string; cause?: unknown } = {}): AuthError {
    return this.#catalog.error(code, options);
  }

  #present(token: unknown): string {
    if (typeof token === 'string' && token !== '') return token;
    throw this.#catalog.error('ERR_TOKEN_MISSING');
  }

  #text(outcome: NativeResult): string {
    if (typeof outcome === 'string') return outcome;
    throw this.#catalog.errorOf(outcome);
  }
}
