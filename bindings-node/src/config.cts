/** The configuration: its types. Every rule about it is checked by the core. */
import type { TestClock } from '../native.cjs';
import type { AuditEvent } from './events.cjs';
import type { Language } from './error-codes.cjs';
import type { LogEntry, LogLevel } from './log.cjs';
import type { MigrateConfig } from './migrate.cjs';
import type { Messages } from './catalog.cjs';

/** Seconds, or text such as `'15m'`, `'12h'`, `'14d'` (`ms`, `s`, `m`, `h`, `d`, `w`). */
export type Lifetime = number | string;

/** Key material: text, taken as its UTF-8 bytes, or bytes. */
export type Secret = string | Uint8Array;

/**
 * A JWS algorithm (RFC 7518 §3.1, RFC 8037, RFC 9864). One key, one algorithm. `EdDSA` and
 * `Ed25519` are two names of one, in keys and in tokens.
 */
export type Algorithm =
  | 'HS256' | 'HS384' | 'HS512'
  | 'RS256' | 'RS384' | 'RS512'
  | 'PS256' | 'PS384' | 'PS512'
  | 'ES256' | 'ES384'
  | 'EdDSA' | 'Ed25519';

/** A key of access tokens: exactly one of `secret`, `privateKey`, `publicKey` and `jwk`. */
export interface KeyConfig {
  /** The one algorithm that the key is for. */
  alg: Algorithm;
  /** Its name: the `kid` of the tokens that it signs. */
  kid?: string | undefined;
  /** An HMAC secret, at least as long as the hash. */
  secret?: Secret | undefined;
  /** A private key in PEM. */
  privateKey?: Secret | undefined;
  /** A public key in PEM; it verifies and never signs. */
  publicKey?: string | undefined;
  /**
   * A JWK (RFC 7517), as an object or as text: a public key, or a secret (`kty: 'oct'`). What it
   * says of its use holds: `use`, `key_ops` and `alg`, which must be that of this entry.
   */
  jwk?: object | string | undefined;
  /** Whether it signs. Without such a key the first that can sign does. */
  active?: boolean | undefined;
}

/** What access tokens say and must say. */
export interface AccessConfig {
  /** How long a token lives; default `'15m'`. */
  ttl?: Lifetime | undefined;
  /** Accepted issuers (`iss`); the first is issued. Default: not checked. */
  issuer?: string | readonly string[] | undefined;
  /** Audiences (`aud`), all issued and one required. Default: a token must have none. */
  audience?: string | readonly string[] | undefined;
  /** How far clocks may differ, at most `'5m'`; default 0. */
  leeway?: Lifetime | undefined;
  /** Refuses tokens this long after their `iat`. */
  maxAge?: Lifetime | undefined;
  /** The app's own name for the user's id, such as `userId`, beside `sub`. */
  subjectClaim?: string | undefined;
  /** Claims that a token must have. */
  requiredClaims?: readonly string[] | undefined;
  /** The longest token, in bytes; default 8192. */
  maxTokenBytes?: number | undefined;
  /**
   * How many verified tokens are kept, so as not to check their signatures with every request;
   * default 4096, 0 for none. Expiry and revocation are checked each time.
   */
  cache?: number | undefined;
  /** Whether issued tokens have a random `jti`; default false. */
  jti?: boolean | undefined;
  /**
   * Whether tokens of an app from before are accepted: those without `typ`, or with `JWT`.
   * `maxLifetime` (default `'24h'`) keeps that app's long-lived refresh tokens out.
   */
  legacy?: boolean | LegacyConfig | undefined;
}

/** Which tokens of an app from before are accepted. */
export interface LegacyConfig {
  /** The longest that one may live, from `iat` to `exp`. */
  maxLifetime: Lifetime;
}

/** How sessions are refreshed. */
export interface RefreshConfig {
  /** A session that is not refreshed for this long ends; default `'14d'`. */
  idleTtl?: Lifetime | undefined;
  /** A session ends this long after its login; default `'90d'`. */
  absoluteTtl?: Lifetime | undefined;
  /** For this long a used refresh token gets the same answer again; default `'10s'`. */
  grace?: Lifetime | undefined;
  /** Whether a refresh answers with a next refresh token; default true. */
  rotation?: boolean | undefined;
  /** What a theft takes down: the session (default) or all sessions of the user. */
  onTheft?: 'session' | 'subject' | undefined;
  /**
   * How many live sessions a user may have; default 50. To a login beyond that those give way that
   * were not refreshed for the longest time (`reason: 'displaced'`). Of the sessions that are over
   * as many are kept as well, with their reasons; `'unlimited'` forgets none before it expires.
   */
  maxSessions?: number | 'unlimited' | undefined;
  /**
   * How many refreshes may be under way at once in this process; default 10000. One more is answered
   * by `ERR_STORE_UNAVAILABLE` at once.
   */
  maxInFlight?: number | undefined;
  /**
   * How many refreshes may fail: of a client address with what nobody here has signed, and of a user
   * with tokens that are refused; default `{ failures: 30, window: '1m' }`. One more is answered by
   * `ERR_TOO_MANY_ATTEMPTS` (429, `Retry-After`). What would be granted is granted all the same, so
   * nobody can lock out anybody else. All processes count together.
   */
  limiter?: LimiterConfig | 'off' | undefined;
}

/** How many refreshes may fail. */
export interface LimiterConfig {
  /** So many are answered with their own reason; default 30. */
  failures?: number | undefined;
  /** For so long they are counted, from the first one on; default `'1m'`, at most `'1d'`. */
  window?: Lifetime | undefined;
}

/** How logouts and thefts that other processes saw become known in this one. */
export interface RevocationConfig {
  /** How far behind this process may be before a route's `whenStale` decides; default `'10s'`. */
  maxStaleness?: Lifetime | undefined;
}

/** How Redis is reached and used, beside its address. */
export interface RedisConfig {
  /** What every key begins with; default `'regrant:'`. */
  prefix?: string | undefined;
  /** How long one operation may take, connecting included; default `'2s'`. */
  timeout?: Lifetime | undefined;
  /**
   * A file in PEM with the certificates of the authorities that are trusted, where the address
   * says `rediss`. Default: the system's.
   */
  caFile?: string | undefined;
  /** A file in PEM with the certificate chain that this client shows. */
  certFile?: string | undefined;
  /** A file in PEM with the key of that certificate. */
  keyFile?: string | undefined;
  /** Who this is to the Sentinels, where they ask; those in the address are for the master. */
  sentinel?: SentinelConfig | undefined;
  /**
   * How many replicas must have a login or a revocation before it counts as replicated (`WAIT`);
   * default 1 with Sentinels and in a cluster, else 0. It stands in any case; too few are logged,
   * and shown in the audit event of a revocation.
   */
  replicas?: number | undefined;
  /** How long is waited for them; default `'100ms'`. */
  replicaTimeout?: Lifetime | undefined;
  /**
   * What to do about a server whose `maxmemory-policy` may evict live sessions: `'warn'`
   * (default; in the log), or `'refuse'`, so that operations fail with
   * `ERR_STORE_UNAVAILABLE`.
   */
  eviction?: 'warn' | 'refuse' | undefined;
}

/** How sessions are bound to keys of clients (DPoP, RFC 9449): whoever steals a token of one has no use for it. */
export interface DpopConfig {
  /**
   * The origin by which clients reach this server, such as `https://api.example`, or several: a proof names the whole
   * address of its request, and what a request says of its host proves nothing.
   */
  origin: string | string[];
  /** Whether access tokens of bound sessions are bound too, so that every request needs a proof; default true. */
  access?: boolean | undefined;
  /** Whether a login needs a proof; default false. Sessions that are there already go on. */
  required?: boolean | undefined;
  /** How long after its `iat` a proof may arrive; default `'60s'`, at most 10 minutes. */
  maxAge?: Lifetime | undefined;
  /** How far `iat` may be ahead; default `'10s'`, at most 5 minutes. */
  leeway?: Lifetime | undefined;
  /** Asks for a nonce of the server in each proof, and gives a new one as often as this says; default: none. */
  nonce?: Lifetime | undefined;
  /** How many used proofs are remembered, so that none is used twice; default 100,000. */
  capacity?: number | undefined;
}

/** Who this is to the Sentinels. */
export interface SentinelConfig {
  /** The user; default the Sentinels' `default` user. */
  username?: string | undefined;
  /** The password. */
  password?: Secret | undefined;
}

/** The keys: what `createAuth` takes of them, and `auth.setKeys`. An unknown field is refused. */
export interface KeysConfig {
  /**
   * The app's one secret, at least 32 bytes: an HS256 key for access tokens, from which the
   * secret of refresh tokens is derived (HKDF) unless `refreshSecret` is given.
   */
  secret?: Secret | undefined;
  /**
   * Secrets that were, or are to be, `secret` in other processes: what one of them signed is
   * accepted, access tokens and refresh tokens. None of them signs. For the rotation of keys.
   */
  acceptedSecrets?: readonly Secret[] | undefined;
  /** Accepts secrets shorter than the hash, for apps that have one already; default false. */
  allowShortSecret?: boolean | undefined;
  /** The keys of access tokens, where there is more than one secret. */
  keys?: readonly KeyConfig[] | undefined;
  /** The secret of refresh tokens; required when there is no `secret`. */
  refreshSecret?: Secret | undefined;
  /** Secrets that were, or are to be, `refreshSecret` in other processes. */
  acceptedRefreshSecrets?: readonly Secret[] | undefined;
}

/** Everything that `createAuth` takes. An unknown field is refused. */
export interface AuthConfig extends KeysConfig {
  /** What access tokens say and must say. */
  access?: AccessConfig | undefined;
  /** How sessions are refreshed. */
  refresh?: RefreshConfig | undefined;
  /**
   * Where sessions live: `'file:sessions.db'` (one machine, any number of processes; default
   * `'file:regrant.db'` in the working folder), `'redis://user:pass@host:port/db'`, or `'memory:'`
   * (one process, for tests and trials).
   *
   * Redis with Sentinels is `'redis+sentinel://user:pass@host:port,host:port/master/db'` (the
   * hosts are those of the Sentinels, user and password the master's), a cluster
   * `'redis+cluster://user:pass@host:port,host:port'`; over TLS all of them begin with `rediss`.
   * What has a meaning in an address is percent-encoded in user and password.
   */
  store?: string | undefined;
  /** How logouts and thefts that other processes saw become known in this one. */
  revocation?: RevocationConfig | undefined;
  /** How Redis is reached and used, beside its address. */
  redis?: RedisConfig | undefined;
  /** Sessions that are bound to keys of clients (DPoP, RFC 9449); without it no proofs are checked. */
  dpop?: DpopConfig | undefined;
  /** The app that was here before: its refresh tokens go on working. */
  migrate?: MigrateConfig | undefined;
  /** The language of error texts; default `'en'`. */
  language?: Language | undefined;
  /** The app's own error texts, by code, before those of `language`. */
  messages?: Messages | undefined;
  /**
   * Called with each event, for the audit log, after the call that caused it. It does not keep
   * the process alive. What it throws is an uncaught exception.
   */
  onEvent?: ((event: AuditEvent) => void) | undefined;
  /**
   * Called with what the core logs: a store that fails, a feed of logouts that cannot be read. The
   * log is the process's, so that it also tells of other auth objects and worker threads. Without
   * any `onLog` warnings and errors become warnings of the process (`process.emitWarning`), each
   * message once. No entry contains a token or a secret. It does not keep the process alive. What
   * it throws is an uncaught exception.
   */
  onLog?: ((entry: LogEntry) => void) | undefined;
  /** From which level on `onLog` is called; default `'warn'`. */
  logLevel?: LogLevel | undefined;
  /** A clock in place of the system's, for tests. */
  clock?: TestClock | undefined;
}
