/** How the tokens of other services are verified. */
import type { Algorithm, DpopConfig, KeyConfig, LegacyConfig, Lifetime } from './config.cjs';
import type { JwkSet } from './jwk-set.cjs';
import type { Language } from './error-codes.cjs';
import type { LogEntry, LogLevel } from './log.cjs';
import type { Messages } from './catalog.cjs';
import type { TestClock } from '../native.cjs';

/** An issuer whose tokens are accepted. It has exactly one of `keysUrl`, `jwks` and `keys`. */
export interface IssuerConfig {
  /** Its `iss` (RFC 7519 §4.1.1), or several that it goes by. It is compared, never followed. */
  issuer: string | readonly string[];
  /** The names of this service, one of which a token must have in `aud`; without it a token must have none. */
  audience?: string | readonly string[] | undefined;
  /** The address of its JWK Set (`jwks_uri`): `https`, or `http` on loopback. */
  keysUrl?: string | undefined;
  /** Its JWK Set, as an object or as text. */
  jwks?: JwkSet | object | string | undefined;
  /** Its keys, public ones or a secret that is shared with it. */
  keys?: readonly Omit<KeyConfig, 'active'>[] | undefined;
  /** The algorithm of those RSA keys of a set that do not say theirs; default `RS256`. */
  rsaAlgorithm?: Algorithm | undefined;
  /** How far clocks may differ; default 0, at most 5 minutes. */
  leeway?: Lifetime | undefined;
  /** Refuses tokens this long after their `iat`. */
  maxAge?: Lifetime | undefined;
  /** The claim that names the user; default `sub`. */
  subjectClaim?: string | undefined;
  /** Claims that a token must have. */
  requiredClaims?: readonly string[] | undefined;
  /** The longest token, in bytes; default 8192. */
  maxTokenBytes?: number | undefined;
  /** How many verified tokens are kept; default 4096, 0 for none. */
  cache?: number | undefined;
  /**
   * Whether tokens without `typ: at+jwt` (RFC 9068 §2.1) are accepted, as many issuers write them: then its ID tokens
   * and others with this audience pass as well. `maxLifetime` is 24 hours by default.
   */
  legacy?: boolean | LegacyConfig | undefined;
}

/** When key sets are fetched. */
export interface KeySetsConfig {
  /** How long an issuer is left alone after it was asked, whatever `kid` tokens name; default `'30s'`. */
  coolDown?: Lifetime | undefined;
  /** How long a set is good whose answer has no `Cache-Control: max-age`; default `'10m'`. */
  maxAge?: Lifetime | undefined;
  /** How much longer it is good while the issuer cannot be reached; default `'1h'`. */
  maxStale?: Lifetime | undefined;
  /** How long an answer may take; default `'5s'`. */
  timeout?: Lifetime | undefined;
}

/** How a key set is fetched: the part of the Fetch API that is used. */
export type FetchKeySet = (url: string, init: RequestInit) => Promise<Response>;

/** The configuration of `createVerifier`. */
export interface VerifierConfig {
  /** Whose tokens are accepted. */
  issuers: readonly IssuerConfig[];
  /** When key sets are fetched. */
  keySets?: KeySetsConfig | undefined;
  /**
   * Accepts tokens that are bound to keys of clients (DPoP, RFC 9449), with a proof for each request; without it they
   * are refused.
   */
  dpop?: Pick<DpopConfig, 'origin' | 'maxAge' | 'leeway' | 'capacity'> | undefined;
  /** What fetches key sets, in place of the global `fetch`: for proxies and tests. */
  fetch?: FetchKeySet | undefined;
  /** The language of error texts; default `en`. */
  language?: Language | undefined;
  /** Texts of the app's own, by code. */
  messages?: Messages | undefined;
  /** Told what the core logs. Without it warnings become warnings of the process, each once. */
  onLog?: ((entry: LogEntry) => void) | undefined;
  /** The least grave entries that `onLog` is told; default `warn`. */
  logLevel?: LogLevel | undefined;
  /** A clock for tests. */
  clock?: TestClock | undefined;
}
