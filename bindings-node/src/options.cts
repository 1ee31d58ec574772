/**
 * The options that are data. Generated from `core/src/config/options.rs` by
 * `REGRANT_UPDATE_OPTIONS=1 cargo test -p regrant --lib config::reference`; do not edit.
 */
import type { JwkSet } from './jwk-set.cjs';

/** Seconds, or text such as `'15m'`, `'12h'`, `'14d'` (`ms`, `s`, `m`, `h`, `d`, `w`). */
export type Lifetime = number | string;

/** Key material: text, taken as its UTF-8 bytes, or bytes. */
export type Secret = string | Uint8Array;

/**
 * A JWS algorithm (RFC 7518 §3.1, RFC 8037, RFC 9864). A key is used with one algorithm. `EdDSA` and
 * `Ed25519` are two names of the same algorithm, in keys and in tokens.
 */
export type Algorithm =
  | 'HS256' | 'HS384' | 'HS512'
  | 'RS256' | 'RS384' | 'RS512'
  | 'PS256' | 'PS384' | 'PS512'
  | 'ES256' | 'ES384'
  | 'EdDSA' | 'Ed25519';

/** The keys: a part of the configuration, and what replaces the keys of a running process. */
export interface KeysConfig {
  /**
   * The app's one secret, at least 32 bytes: an HS256 key for access tokens. The secret of refresh tokens is derived
   * from it (HKDF) unless `refreshSecret` is given.
   */
  secret?: Secret | undefined;
  /**
   * Other values of `secret` that are accepted but never sign: those that other processes sign with while keys are
   * rotated. They apply to access tokens and refresh tokens.
   */
  previousSecrets?: readonly Secret[] | undefined;
  /**
   * Accepts secrets shorter than the hash, for apps that have one already.
   *
   * @defaultValue `false`
   */
  allowShortSecret?: boolean | undefined;
  /** The keys of access tokens, where one secret is not enough. */
  keys?: readonly KeyConfig[] | undefined;
  /** The secret of refresh tokens. Required without `secret`. */
  refreshSecret?: Secret | undefined;
  /** Other values of `refreshSecret` that are accepted but never sign. */
  previousRefreshSecrets?: readonly Secret[] | undefined;
}

/** A key of access tokens. Exactly one of `secret`, `privateKey`, `publicKey` and `jwk` is given. */
export interface KeyConfig {
  /** The one algorithm that the key is used with. */
  alg: Algorithm;
  /** The key's name: the `kid` of the tokens that it signs. */
  kid?: string | undefined;
  /** An HMAC secret, at least as long as the hash. */
  secret?: Secret | undefined;
  /** A private key in PEM. */
  privateKey?: Secret | undefined;
  /** A public key in PEM. It verifies and never signs. */
  publicKey?: string | undefined;
  /**
   * A JWK (RFC 7517), as an object or as text: a public key, or a secret (`kty: oct`). Its `use` and `key_ops` apply,
   * and its `alg` must be that of this entry.
   */
  jwk?: object | string | undefined;
  /**
   * Whether this key signs. If no key is marked, the first one that can sign does.
   *
   * @defaultValue `false`
   */
  active?: boolean | undefined;
}

/** The configuration of an auth object. Unknown options are rejected. */
export interface AuthOptions extends KeysConfig {
  /**
   * The name of the realm, which keeps sessions and refresh tokens apart from those of other apps with the same
   * secret or store, 1 to 4096 bytes. By default the first issuer and the audiences of access tokens, the latter in
   * alphabetical order, separated by spaces (as a space and the JSON `["issuer",["audience"]]`, if the issuer is not
   * a URL, an audience without an issuer is one, or either has a space). Give that as the name before you change the
   * issuer or an audience, or every user signs in again. Access tokens are told apart by issuer and audience alone:
   * apps with the same keys, issuer and audience accept each other's until they expire, whatever their realms.
   */
  realm?: string | undefined;
  /**
   * The realms whose sessions go on here, such as the former `realm`. By default `[""]`, the sessions of apps without
   * issuer and audience, to which all belong that began before there were realms. With `[]` only those of `realm` are
   * accepted.
   */
  previousRealms?: readonly string[] | undefined;
  /** Access tokens: what is issued and what is accepted. */
  access?: AccessConfig | undefined;
  /** Sessions and refresh tokens. */
  refresh?: RefreshConfig | undefined;
  /**
   * Where sessions are stored.
   *
   * - `file:PATH`: a file, for any number of processes on one machine; the default is a file in the working
   *   directory.
   * - `redis://USER:PASSWORD@HOST:PORT/DB`: a Redis server.
   * - `redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER/DB`: Redis with Sentinels. The hosts are the
   *   Sentinels, the credentials those of the data servers.
   * - `redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT`: a Redis Cluster.
   * - `postgres://USER:PASSWORD@HOST:PORT/DATABASE`: a PostgreSQL database. With `?sslmode=verify-full` the
   *   connection uses TLS.
   * - `memory:`: the memory of one process, for tests.
   *
   * With `rediss` in place of `redis` the connection uses TLS. Special characters in user and password are
   * percent-encoded.
   *
   * @defaultValue `'file:regrant.db'`
   */
  store?: string | undefined;
  /**
   * The address of the store that this app used before, while its sessions move to `store`: sessions there go on in
   * `store`, and revocations reach processes that still use it. Both must be reachable. Where both are Redis, they
   * have the same prefix and options. Remove it when `regrant sessions copy` has finished and no process uses the
   * former store.
   */
  previousStore?: string | undefined;
  /** Revocations by other processes. */
  revocation?: RevocationConfig | undefined;
  /** The connection to Redis, apart from its address. */
  redis?: RedisConfig | undefined;
  /**
   * Allows sessions whose tokens are bound to a key of the client (DPoP, RFC 9449). Without this option no proof is
   * checked.
   */
  dpop?: DpopConfig | false | undefined;
  /**
   * How tokens travel between this server and its clients: cookies, the header, and the origins of pages. All
   * endpoints and all middleware use it.
   */
  web?: WebConfig | undefined;
  /** A legacy app whose refresh tokens are migrated. */
  migrate?: MigrateOptions | undefined;
}

/** Access tokens: what is issued and what is accepted. */
export interface AccessConfig {
  /**
   * The lifetime of a token: whole seconds, up to 366 days.
   *
   * @defaultValue `'15m'`
   */
  ttl?: Lifetime | undefined;
  /** The accepted issuers (`iss`). The first one is issued. By default not checked. */
  issuer?: string | readonly string[] | undefined;
  /**
   * The audiences (`aud`): all are issued, and a token must have one of them. Without this option a token must have
   * none.
   */
  audience?: string | readonly string[] | undefined;
  /**
   * The accepted clock skew, at most 5 minutes.
   *
   * @defaultValue `'0s'`
   */
  leeway?: Lifetime | undefined;
  /**
   * Rejects tokens this long after their `iat`, whatever their `exp`.
   *
   * @defaultValue `false`
   */
  maxAge?: Lifetime | false | undefined;
  /**
   * The claim that holds the user's id beside `sub`, such as `userId`.
   *
   * @defaultValue `'sub'`
   */
  subjectClaim?: string | undefined;
  /**
   * Writes `subjectClaim` as a JSON number where the user's id is a whole number, for apps whose ids are numbers.
   * `sub` is always text.
   *
   * @defaultValue `false`
   */
  numericSubject?: boolean | undefined;
  /** Claims that a token must have. One without them is not issued either. */
  requiredClaims?: readonly string[] | undefined;
  /**
   * The longest accepted token, in bytes: 256 to 65536.
   *
   * @defaultValue `8192`
   */
  maxTokenBytes?: number | undefined;
  /**
   * How many verified tokens are cached, so that their signatures are not verified on every request. Expiry and
   * revocation are checked each time.
   *
   * @defaultValue `4096`
   */
  cache?: number | false | undefined;
  /**
   * Whether issued tokens have a random `jti`.
   *
   * @defaultValue `false`
   */
  jti?: boolean | undefined;
  /**
   * Whether tokens of a legacy app are accepted: those without `typ`, or with `typ: JWT`. `true` is the same as `{}`.
   *
   * @defaultValue `false`
   */
  legacy?: boolean | LegacyConfig | undefined;
}

/** Which tokens of a legacy app are accepted. */
export interface LegacyConfig {
  /**
   * The longest accepted lifetime, from `iat` to `exp`. It keeps the long-lived refresh tokens of the legacy app from
   * passing as access tokens.
   *
   * @defaultValue `'1d'`
   */
  maxLifetime?: Lifetime | undefined;
  /** Claims that such a token must have. */
  requiredClaims?: readonly string[] | undefined;
  /**
   * Claims that such a token must not have, for example the one that marks the links for password resets that the
   * legacy app signed with the same secret.
   */
  forbiddenClaims?: readonly string[] | undefined;
}

/** Sessions and refresh tokens. */
export interface RefreshConfig {
  /**
   * A session expires when it is not refreshed for this long.
   *
   * @defaultValue `'14d'`
   */
  idleTtl?: Lifetime | undefined;
  /**
   * A session expires this long after its login. If only a longer `idleTtl` is given, that applies here too.
   *
   * @defaultValue `'90d'`
   */
  absoluteTtl?: Lifetime | undefined;
  /**
   * For this long after the first use of the new tokens a refresh token gets the same new refresh token again, at
   * most 5 minutes: for retries and concurrent requests.
   *
   * @defaultValue `'10s'`
   */
  grace?: Lifetime | undefined;
  /**
   * The same while nobody has used the new pair, at least `grace` and at most 5 minutes: for responses that arrive
   * late. If only a longer `grace` is given, that applies here too.
   *
   * @defaultValue `'1m'`
   */
  unusedGrace?: Lifetime | undefined;
  /**
   * Whether a refresh also issues a new refresh token. A session that has rotated once always rotates.
   *
   * @defaultValue `true`
   */
  rotation?: boolean | undefined;
  /**
   * What is revoked when a refresh token is reused: its session, or all sessions of the user (`subject`).
   *
   * @defaultValue `'session'`
   */
  onTheft?: 'session' | 'subject' | undefined;
  /**
   * The maximum number of live sessions of a user. A login over the limit revokes the least recently refreshed
   * sessions (reason `displaced`). As many revoked sessions are kept, with their reasons; with `false` all are kept
   * until they expire.
   *
   * @defaultValue `50`
   */
  maxSessions?: number | false | undefined;
  /**
   * The maximum number of concurrent refreshes in this process, and likewise of logins and lists, of revocations, and
   * of checks against the store. Further ones fail at once with `ERR_STORE_UNAVAILABLE`.
   *
   * @defaultValue `10000`
   */
  maxInFlight?: number | undefined;
  /**
   * Whether the address and the user agent of the login and of the latest refresh are stored with the session,
   * listed, and named in audit events. With `false` they are neither; the limiter counts by address all the same.
   *
   * @defaultValue `true`
   */
  recordClients?: boolean | undefined;
  /**
   * Limits failed refreshes: per client address those with tokens that were not issued here, and per user those with
   * rejected tokens. Further ones fail with `ERR_TOO_MANY_ATTEMPTS` (429, `Retry-After`). A valid refresh always
   * succeeds, so nobody can lock out anybody else. Those of a user are counted by all processes together, those of an
   * address by each process.
   *
   * @defaultValue `{ failures: 30, window: '1m' }`
   */
  limiter?: LimiterConfig | false | undefined;
}

/** The limit of failed refreshes. */
export interface LimiterConfig {
  /**
   * How many failures are allowed in a window.
   *
   * @defaultValue `30`
   */
  failures?: number | undefined;
  /**
   * The length of the window, from the first failure on; at most one day.
   *
   * @defaultValue `'1m'`
   */
  window?: Lifetime | undefined;
}

/** Revocations by other processes. */
export interface RevocationConfig {
  /**
   * How far this process may lag behind the revocation feed before a route's `whenStale` applies.
   *
   * @defaultValue `'10s'`
   */
  maxStaleness?: Lifetime | undefined;
}

/** The connection to Redis, apart from its address. */
export interface RedisConfig {
  /**
   * The prefix of all keys.
   *
   * @defaultValue `'regrant:'`
   */
  prefix?: string | undefined;
  /**
   * The timeout of one operation, connecting included, at most 5 minutes. It applies to PostgreSQL and files too.
   *
   * @defaultValue `'2s'`
   */
  timeout?: Lifetime | undefined;
  /**
   * A PEM file with the trusted certificate authorities, for `rediss` addresses. By default the system's. A server
   * whose own certificate is in the file is trusted whatever that certificate says.
   */
  caFile?: string | undefined;
  /** The name that the servers' certificates must have. By default the host that is connected to. */
  serverName?: string | undefined;
  /** A PEM file with the certificate chain of this client. */
  certFile?: string | undefined;
  /** A PEM file with the private key of that certificate. */
  keyFile?: string | undefined;
  /** The credentials for the Sentinels, if they require any. Those in the address are for the data servers. */
  sentinel?: SentinelConfig | undefined;
  /**
   * How many replicas must acknowledge a login or a revocation (`WAIT`) before it counts as replicated. By default 1
   * with Sentinels and in a cluster, else 0. The write stands either way; too few acknowledgements are logged, and
   * shown in the audit event of a revocation.
   */
  replicas?: number | undefined;
  /**
   * How long to wait for the replicas, at most 5 minutes.
   *
   * @defaultValue `'100ms'`
   */
  replicaTimeout?: Lifetime | undefined;
  /**
   * What to do about a server whose `maxmemory-policy` may evict live sessions: log a warning, or `refuse` to use it,
   * so that operations fail with `ERR_STORE_UNAVAILABLE`.
   *
   * @defaultValue `'warn'`
   */
  eviction?: 'warn' | 'refuse' | undefined;
}

/** Credentials for the Sentinels. */
export interface SentinelConfig {
  /** The user. By default the Sentinels' `default` user. */
  username?: string | undefined;
  /** The password. */
  password?: Secret | undefined;
}

/**
 * Sessions whose tokens are bound to a key of the client (DPoP, RFC 9449), so that a stolen token is useless without
 * the key.
 */
export interface DpopConfig {
  /**
   * The origin by which clients reach this server, such as `https://api.example`, or several. A proof covers the full
   * URL of its request, and the `Host` header of a request cannot be trusted.
   */
  origin: string | readonly string[];
  /**
   * Whether the access tokens of bound sessions are bound too, so that each request needs a proof. Otherwise only
   * refreshes and logouts do.
   *
   * @defaultValue `true`
   */
  access?: boolean | undefined;
  /**
   * Whether a login needs a proof. Existing sessions are not affected.
   *
   * @defaultValue `false`
   */
  required?: boolean | undefined;
  /**
   * How long after its `iat` a proof is accepted, at most 10 minutes.
   *
   * @defaultValue `'1m'`
   */
  maxAge?: Lifetime | undefined;
  /**
   * How far the `iat` of a proof may be in the future, at most 5 minutes.
   *
   * @defaultValue `'10s'`
   */
  leeway?: Lifetime | undefined;
  /**
   * Requires a nonce of the server in each proof (RFC 9449 §8), renewed at this interval.
   *
   * @defaultValue `false`
   */
  nonce?: Lifetime | false | undefined;
  /**
   * How many used proofs are remembered, so that none is used twice; a hundredth of it for one key.
   *
   * @defaultValue `100000`
   */
  capacity?: number | undefined;
}

/**
 * How tokens travel between this server and its clients: cookies, the header, and the origins of pages. All endpoints
 * and all middleware use it.
 */
export interface WebConfig {
  /**
   * The cookie that carries the refresh token: a name, or `true` for the default one. With `false`, refresh tokens
   * travel in the JSON bodies of requests and responses.
   *
   * @defaultValue `'refreshToken'`
   */
  refreshCookie?: string | boolean | undefined;
  /**
   * The path of the refresh cookie, `/` for a name that begins with `__Host-`. Browsers send the cookie only to this
   * path and below it: mount refresh and logout there.
   *
   * @defaultValue `'/auth'`
   */
  path?: string | undefined;
  /**
   * A cookie that carries the access token where a request has none in its header: a name, or `true` for
   * `accessToken`. A login and a refresh set it in addition to the JSON response.
   *
   * @defaultValue `false`
   */
  accessCookie?: string | boolean | undefined;
  /**
   * The header that carries the access token, with a value such as `Bearer <token>`.
   *
   * @defaultValue `'authorization'`
   */
  accessHeader?: string | undefined;
  /**
   * Whether browsers send the cookies over HTTPS only. `"auto"`: where the request came by HTTPS, which behind a
   * proxy needs the framework's setting for it. `false` is for plain HTTP.
   *
   * @defaultValue `true`
   */
  secure?: boolean | 'auto' | undefined;
  /** The domain of the cookies, whose hosts all get them. By default only the host that set a cookie gets it. */
  domain?: string | undefined;
  /**
   * Origins beside the server's own whose pages may use the cookies, such as `https://app.example.com` for a server
   * at `https://api.example.com`.
   */
  allowedOrigins?: readonly string[] | undefined;
}

/** A legacy app whose refresh tokens are migrated. */
export interface MigrateOptions {
  /** The secret that signed its refresh tokens. By default `secret`. */
  secret?: Secret | undefined;
  /**
   * The Redis that holds them: `redis://…`, or one with Sentinels. By default `store`, if that is one. The `redis`
   * options apply to both.
   */
  store?: string | undefined;
}

/** The configuration of a verifier of the tokens of other issuers. Unknown options are rejected. */
export interface VerifierOptions {
  /** The issuers whose tokens are accepted. */
  issuers: readonly IssuerConfig[];
  /** When JWK Sets are fetched. */
  keySets?: KeySetsConfig | undefined;
  /** Accepts DPoP-bound tokens (RFC 9449), with a proof for each request. Otherwise they are rejected. */
  dpop?: ProofConfig | false | undefined;
  /** How access tokens travel between clients and this service. */
  web?: VerifierWebConfig | undefined;
}

/** An issuer whose tokens are accepted. Exactly one of `jwksUri`, `jwks` and `keys` is given. */
export interface IssuerConfig {
  /**
   * The `iss` of its tokens (RFC 7519 §4.1.1), or several. It is compared, never fetched. For a service whose tenants
   * have issuers of their own and the same keys, `*` stands for one segment of the path, as in
   * `https://login.example/tenants/*`: then check in the app which tenants may enter.
   */
  issuer: string | readonly string[];
  /**
   * The names of this service, one of which a token must have in `aud`. Without this option a token must have none.
   */
  audience?: string | readonly string[] | undefined;
  /** The URL of its JWK Set (RFC 8414 §2): `https`, or `http` on loopback. */
  jwksUri?: string | undefined;
  /**
   * Accepts a `jwksUri` with `http` on any host. An attacker in the network could answer in place of the issuer and
   * sign tokens for any user: only for a network that is closed to others, such as that of the containers of one
   * machine.
   *
   * @defaultValue `false`
   */
  allowInsecureRequests?: boolean | undefined;
  /** Its JWK Set, as an object or as text. */
  jwks?: JwkSet | object | string | undefined;
  /** Its keys: public keys, or a secret shared with it. */
  keys?: readonly Omit<KeyConfig, 'active'>[] | undefined;
  /**
   * The algorithm of RSA keys in a set that have no `alg`.
   *
   * @defaultValue `'RS256'`
   */
  rsaAlgorithm?: Algorithm | undefined;
  /**
   * The accepted clock skew, at most 5 minutes.
   *
   * @defaultValue `'0s'`
   */
  leeway?: Lifetime | undefined;
  /**
   * Rejects tokens this long after their `iat`, whatever their `exp`.
   *
   * @defaultValue `false`
   */
  maxAge?: Lifetime | false | undefined;
  /**
   * The claim that holds the user's id.
   *
   * @defaultValue `'sub'`
   */
  subjectClaim?: string | undefined;
  /** Claims that a token must have. */
  requiredClaims?: readonly string[] | undefined;
  /**
   * The longest accepted token, in bytes: 256 to 65536.
   *
   * @defaultValue `8192`
   */
  maxTokenBytes?: number | undefined;
  /**
   * How many verified tokens are cached.
   *
   * @defaultValue `4096`
   */
  cache?: number | false | undefined;
  /**
   * Whether tokens without `typ: at+jwt` (RFC 9068 §2.1) are accepted, as many issuers write them. ID tokens and
   * other tokens with this audience then pass as well. `true` is the same as `{}`.
   *
   * @defaultValue `false`
   */
  legacy?: boolean | LegacyConfig | undefined;
}

/** When JWK Sets are fetched. */
export interface KeySetsConfig {
  /**
   * The shortest time between two fetches from an issuer, 1 second to 30 days. A token with an unknown `kid` triggers
   * a fetch, so this limits what forged tokens can cause.
   *
   * @defaultValue `'30s'`
   */
  refetchCooldown?: Lifetime | undefined;
  /**
   * How long a set is fresh whose response has no `Cache-Control: max-age`, up to 30 days.
   *
   * @defaultValue `'10m'`
   */
  maxAge?: Lifetime | undefined;
  /**
   * How long a set is used after that while the issuer cannot be reached, up to 30 days.
   *
   * @defaultValue `'1h'`
   */
  maxStale?: Lifetime | undefined;
  /**
   * The timeout of a fetch, at most 5 minutes.
   *
   * @defaultValue `'5s'`
   */
  timeout?: Lifetime | undefined;
}

/** How a service that verifies the tokens of others accepts DPoP-bound ones. */
export interface ProofConfig {
  /** The origin by which clients reach this service, such as `https://orders.example`, or several. */
  origin: string | readonly string[];
  /**
   * How long after its `iat` a proof is accepted, at most 10 minutes.
   *
   * @defaultValue `'1m'`
   */
  maxAge?: Lifetime | undefined;
  /**
   * How far the `iat` of a proof may be in the future, at most 5 minutes.
   *
   * @defaultValue `'10s'`
   */
  leeway?: Lifetime | undefined;
  /**
   * How many used proofs are remembered, so that none is used twice; a hundredth of it for one key.
   *
   * @defaultValue `100000`
   */
  capacity?: number | undefined;
}

/** How access tokens travel between clients and a service that verifies the tokens of others. */
export interface VerifierWebConfig {
  /**
   * The cookie that carries the access token where a request has none in its header: a name, or `true` for
   * `accessToken`.
   *
   * @defaultValue `false`
   */
  accessCookie?: string | boolean | undefined;
  /**
   * The header that carries the access token, with a value such as `Bearer <token>`.
   *
   * @defaultValue `'authorization'`
   */
  accessHeader?: string | undefined;
  /**
   * Whether the server that sets the cookie marks it `Secure`, see `web.secure` of `createAuth`.
   *
   * @defaultValue `true`
   */
  secure?: boolean | 'auto' | undefined;
  /** The domain of the cookie. */
  domain?: string | undefined;
  /** Origins beside the server's own whose pages may use the cookie. */
  allowedOrigins?: readonly string[] | undefined;
}
