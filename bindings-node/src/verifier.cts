/** The verifier of tokens of other services. */
import { bearer, type NativeIssuers, type Outcome } from '../native.cjs';
import type { AuthError } from './auth-error.cjs';
import { parse } from './checker.cjs';
import type { VerifiedAccess } from './claims.cjs';
import type { ErrorCode } from './error-codes.cjs';
import type { RequestProof } from './proof.cjs';
import type { Texts } from './texts.cjs';

/**
 * Verifies the access tokens of the configured issuers. Made by `createVerifier`. The middleware of
 * `regrant/express`, `regrant/fastify` and `regrant/http` takes it in place of an auth object.
 */
export class Verifier {
  readonly #native: NativeIssuers;
  readonly #texts: Texts;

  /** @internal */
  constructor(native: NativeIssuers, texts: Texts) {
    this.#native = native;
    this.#texts = texts;
  }

  /**
   * Verifies an access token: in-process, without I/O once the issuer's keys are there. Where they
   * are not, or where the token names one that is new, it waits for them.
   *
   * @typeParam T - The claims beside the registered ones.
   * @throws {@link AuthError} `ERR_TOKEN_EXPIRED`, `ERR_TOKEN_MISSING`, `ERR_ISSUER_MISMATCH` and the
   * other codes with the advice `reject`; `ERR_KEYS_UNAVAILABLE`: try again.
   */
  async verifyAccess<T extends object = object>(token: string | undefined): Promise<VerifiedAccess<T>> {
    const text = this.#present(token);
    const outcome = this.#native.tryVerify(text) ?? (await this.#native.verifyOrFetch(text));
    return parse(this.#text(outcome)) as VerifiedAccess<T>;
  }

  /**
   * As {@link Verifier.verifyAccess}, but never waits: keys that are missing are fetched meanwhile.
   *
   * @throws {@link AuthError} as {@link Verifier.verifyAccess}.
   */
  verifyAccessSync<T extends object = object>(token: string | undefined): VerifiedAccess<T> {
    return parse(this.#text(this.#native.verify(this.#present(token)))) as VerifiedAccess<T>;
  }

  /**
   * As {@link Verifier.verifyAccess}, of the value of an `Authorization` header (RFC 6750 §2.1).
   *
   * @throws {@link AuthError} `ERR_TOKEN_MISSING` without a Bearer token, else as {@link Verifier.verifyAccess}.
   */
  async verifyBearer<T extends object = object>(header: string | undefined): Promise<VerifiedAccess<T>> {
    return this.verifyAccess<T>(this.#text(bearer(header ?? '')));
  }

  /**
   * As {@link Verifier.verifyAccess}, and that the token is bound to the key that the proof is by
   * (RFC 9449 §7.1). A proof is good once.
   *
   * @throws {@link AuthError} as {@link Verifier.verifyAccess}; `ERR_DPOP_PROOF_INVALID`,
   * `ERR_DPOP_PROOF_REPLAYED`; `ERR_CONFIG_INVALID` without `dpop`.
   */
  async verifyWithProof<T extends object = object>(
    token: string | undefined,
    proof: RequestProof,
  ): Promise<VerifiedAccess<T>> {
    const outcome = await this.#native.verifyWithProof(this.#present(token), proof);
    return parse(this.#text(outcome)) as VerifiedAccess<T>;
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
    return this.#texts.error(code, options);
  }

  #present(token: unknown): string {
    if (typeof token === 'string' && token !== '') return token;
    throw this.#texts.error('ERR_TOKEN_MISSING');
  }

  #text(outcome: Outcome): string {
    if (typeof outcome === 'string') return outcome;
    throw this.#texts.errorOf(outcome);
  }
}
