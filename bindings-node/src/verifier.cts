/** The verifier of access tokens of other services. */
import { NativeJwksVerifier, bearer } from '../native.cjs';
import { checkArgument, checkOptions, errorOptions, isProof, refuseOptions } from './arguments.cjs';
import type { AuthError, Catalog } from './catalog.cjs';
import type { VerifiedAccess } from './claims.cjs';
import { encodeConfig, plainConfig, sharedOptions, type FetchKeySet, type ResolveIssuer, type VerifierConfig } from './config.cjs';
import type { ErrorCode } from './error-codes.cjs';
import type { RequestProof } from './session.cjs';
import { parseTuple } from './token-cache.cjs';
import { Web } from './web.cjs';

/**
 * Checks the configuration and makes a verifier of the tokens of other services, by the keys that
 * they publish or that are given. Does no I/O: keys are fetched with the first token, or by `ready()`.
 *
 * ```ts
 * const verifier = createVerifier({
 *   issuers: [{
 *     issuer: 'https://auth.example',
 *     audience: 'orders',
 *     jwksUri: 'https://auth.example/.well-known/jwks.json',
 *   }],
 * });
 * app.use(authenticate(verifier));
 * ```
 *
 * @throws {@link AuthError} `ERR_CONFIG_INVALID`; its message and `field` name the field.
 */
export function createVerifier(config: VerifierConfig): Verifier {
  const { fetch: custom, issuers, ...others } = plainConfig(config);
  const { catalog, clock, log, core } = sharedOptions(others, [...NativeJwksVerifier.optionNames(), 'fetch']);
  refuseOptions(arguments[1], catalog);
  if (custom !== undefined && typeof custom !== 'function') {
    throw catalog.configInvalid('fetch', 'must be a function');
  }
  // The global `fetch` is looked up per call, so that a test can replace it.
  const fetchKeySet = toJsonFetch(custom ?? ((url, init) => fetch(url, init)));
  const resolve = typeof issuers === 'function' ? toJsonResolver(issuers, catalog) : undefined;
  const complete = encodeConfig({ ...core, issuers: resolve ? [] : issuers }, catalog);
  const native = NativeJwksVerifier.create(complete, clock, log, fetchKeySet, resolve);
  if (native instanceof NativeJwksVerifier) return new Verifier(native, catalog);
  throw catalog.errorOf(native);
}

/** What `regrant/http` needs of a verifier. */
export interface VerifierInternals {
  readonly native: NativeJwksVerifier;
  readonly catalog: Catalog;
  readonly web: Web;
}

/** Not a method, so that it is not part of the package's interface. */
export let verifierInternalsOf: (verifier: Verifier) => VerifierInternals;

/**
 * Verifies the access tokens of the configured issuers. Made by `createVerifier`. The middleware of
 * `regrant/express`, `regrant/fastify` and `regrant/http` takes it in place of an auth object.
 */
export class Verifier {
  readonly #native: NativeJwksVerifier;
  readonly #catalog: Catalog;
  readonly #internals: VerifierInternals;

  /** @internal */
  constructor(native: NativeJwksVerifier, catalog: Catalog) {
    this.#native = native;
    this.#catalog = catalog;
    this.#internals = { native, catalog, web: new Web(native.web) };
  }

  /**
   * Verifies an access token by the keys in memory: in-process, without I/O. Missing keys are fetched in the background.
   *
   * @typeParam T - The claims beside the registered ones.
   * @throws {@link AuthError} `ERR_TOKEN_EXPIRED`, `ERR_TOKEN_MISSING`, `ERR_ISSUER_MISMATCH` and the other codes with
   * the advice `reject`; `ERR_KEYS_UNAVAILABLE`: retry.
   */
  verifyAccess<T extends object = object>(token: string | undefined): VerifiedAccess<T> {
    if (arguments.length > 1) refuseOptions(arguments[1], this.#catalog);
    return parseTuple(this.#catalog.textOf(this.#native.verify(this.#present(token)))) as VerifiedAccess<T>;
  }

  /**
   * As {@link Verifier.verifyAccess}, but waits for the issuer's keys where they are missing, or where the token names
   * a new one.
   *
   * @throws {@link AuthError} as {@link Verifier.verifyAccess}.
   */
  async verifyAccessAsync<T extends object = object>(token: string | undefined): Promise<VerifiedAccess<T>> {
    if (arguments.length > 1) refuseOptions(arguments[1], this.#catalog);
    const text = this.#present(token);
    const result = this.#native.tryVerify(text) ?? (await this.#native.verifyOrFetch(text));
    return parseTuple(this.#catalog.textOf(result)) as VerifiedAccess<T>;
  }

  /**
   * As {@link Verifier.verifyAccess}, of the value of an `Authorization` header (RFC 6750 §2.1).
   *
   * @throws {@link AuthError} `ERR_TOKEN_MISSING` without a Bearer token, else as {@link Verifier.verifyAccess}.
   */
  verifyBearer<T extends object = object>(header: string | undefined): VerifiedAccess<T> {
    if (arguments.length > 1) refuseOptions(arguments[1], this.#catalog);
    return this.verifyAccess<T>(this.#catalog.textOf(bearer(typeof header === 'string' ? header : '')));
  }

  /**
   * As {@link Verifier.verifyAccessAsync}, of the value of an `Authorization` header.
   *
   * @throws {@link AuthError} as {@link Verifier.verifyBearer}.
   */
  async verifyBearerAsync<T extends object = object>(header: string | undefined): Promise<VerifiedAccess<T>> {
    if (arguments.length > 1) refuseOptions(arguments[1], this.#catalog);
    return this.verifyAccessAsync<T>(this.#catalog.textOf(bearer(typeof header === 'string' ? header : '')));
  }

  /**
   * As {@link Verifier.verifyAccessAsync}, for a DPoP-bound token: also checks the proof of its key
   * (RFC 9449 §7.1). Each proof is accepted once.
   *
   * @throws {@link AuthError} as {@link Verifier.verifyAccess}; `ERR_DPOP_PROOF_INVALID`,
   * `ERR_DPOP_PROOF_REPLAYED`; `ERR_CONFIG_INVALID` without `dpop`.
   */
  async verifyWithProofAsync<T extends object = object>(
    token: string | undefined,
    proof: RequestProof,
  ): Promise<VerifiedAccess<T>> {
    refuseOptions(arguments[2], this.#catalog);
    checkArgument('proof', proof, isProof, this.#catalog);
    const result = await this.#native.verifyWithProof(this.#present(token), proof);
    return parseTuple(this.#catalog.textOf(result)) as VerifiedAccess<T>;
  }

  /** Whether DPoP-bound tokens are accepted: whether the configuration has `dpop`. */
  get checksProofs(): boolean {
    return this.#native.checksProofs;
  }

  /**
   * Fetches missing keys, for a program that must not start without them.
   *
   * @throws {@link AuthError} `ERR_KEYS_UNAVAILABLE`; its `cause` names the address.
   */
  async ready(): Promise<void> {
    this.#catalog.textOf(await this.#native.ready());
  }

  /** An error in the language of this verifier, for rejections by the app itself. */
  error(code: ErrorCode, options: { detail?: string; cause?: unknown } = {}): AuthError {
    checkOptions(options, errorOptions, this.#catalog);
    return this.#catalog.error(code, options);
  }

  static {
    verifierInternalsOf = (verifier) => verifier.#internals;
  }

  #present(token: unknown): string {
    if (typeof token === 'string' && token !== '') return token;
    throw this.#catalog.error('ERR_TOKEN_MISSING');
  }
}

/** The app's function as the core calls it: takes the name of an issuer and returns JSON text. The promise never rejects. */
function toJsonResolver(resolve: ResolveIssuer, catalog: Catalog): (issuer: string) => Promise<string> {
  return async (issuer) => {
    try {
      const options: unknown = await resolve(issuer);
      return encodeConfig({ issuer: options ?? null }, catalog);
    } catch (thrown) {
      return JSON.stringify({ failed: reasonOf(thrown) });
    }
  };
}

/** The longest response that is read here; the limit of the core is lower. */
const MAX_LENGTH = 512 * 1024;

/** The longest timeout that the core can have (`keySets.timeout`); this one ends abandoned requests. */
const TIMEOUT_MS = 300_000;

/** The function that the core calls: takes a URL and returns JSON text. The promise never rejects. */
function toJsonFetch(fetchKeySet: FetchKeySet): (url: string) => Promise<string> {
  return async (url) => {
    try {
      const response = await fetchKeySet(url, {
        headers: { accept: 'application/jwk-set+json, application/json' },
        // Only the configured URL is trusted.
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const { status, headers } = response;
      return JSON.stringify({ response: { status, headers: [...headers], body: await readText(response) } });
    } catch (error) {
      return JSON.stringify({ failed: reasonOf(error) });
    }
  };
}

async function readText(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_LENGTH) throw new Error('the response is too long');
  }
  return text + decoder.decode();
}

/** With the cause, because `fetch` itself says only "fetch failed". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
