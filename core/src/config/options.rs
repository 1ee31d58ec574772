//! The definition of every option: names, types and descriptions.
//!
//! The TypeScript types (`bindings-node/src/options.cts`) and the reference
//! (`core/docs/configuration.md`) are generated from it, see `reference.rs`. Descriptions are
//! therefore written for all languages. A default is not written here: it stands in the policy that
//! the option resolves to, and is read from there.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::objects::object;
use super::values::{JwkConfig, Lifetime, OneOrMany, OrFalse, SecretConfig, TokenCookie};
use crate::http::SecureCookie;
use crate::keys::{Algorithm, KeyId};
use crate::session::TheftScope;
use crate::store::Eviction;

/// The keys: a part of the configuration, and what replaces the keys of a running process.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KeysConfig {
    /// The app's one secret, at least 32 bytes: an HS256 key for access tokens. The secret of
    /// refresh tokens is derived from it (HKDF) unless `refreshSecret` is given.
    pub secret: Option<SecretConfig>,
    /// Other values of `secret` that are accepted but never sign: those that other processes sign
    /// with while keys are rotated. They apply to access tokens and refresh tokens.
    pub previous_secrets: Vec<SecretConfig>,
    /// Accepts secrets shorter than the hash, for apps that have one already.
    pub allow_short_secret: bool,
    /// The keys of access tokens, where one secret is not enough.
    pub keys: Vec<KeyConfig>,
    /// The secret of refresh tokens. Required without `secret`.
    pub refresh_secret: Option<SecretConfig>,
    /// Other values of `refreshSecret` that are accepted but never sign.
    pub previous_refresh_secrets: Vec<SecretConfig>,
}

/// A key of access tokens. Exactly one of `secret`, `privateKey`, `publicKey` and `jwk` is given.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyConfig {
    /// The one algorithm that the key is used with.
    pub alg: Algorithm,
    /// The key's name: the `kid` of the tokens that it signs.
    pub kid: Option<KeyId>,
    /// An HMAC secret, at least as long as the hash.
    pub secret: Option<SecretConfig>,
    /// A private key in PEM.
    pub private_key: Option<SecretConfig>,
    /// A public key in PEM. It verifies and never signs.
    pub public_key: Option<String>,
    /// A JWK (RFC 7517), as an object or as text: a public key, or a secret (`kty: oct`). Its `use`
    /// and `key_ops` apply, and its `alg` must be that of this entry.
    pub jwk: Option<JwkConfig>,
    /// Whether this key signs. If no key is marked, the first one that can sign does.
    #[serde(default)]
    pub active: bool,
}

/// Access tokens: what is issued and what is accepted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccessConfig {
    /// The lifetime of a token: whole seconds, up to 366 days.
    pub ttl: Option<Lifetime>,
    /// The accepted issuers (`iss`). The first one is issued. By default not checked.
    pub issuer: Option<OneOrMany>,
    /// For tokens of other services: patterns of issuers.
    #[serde(skip)]
    pub(super) issuer_patterns: Vec<String>,
    /// The audiences (`aud`): all are issued, and a token must have one of them. Without this
    /// option a token must have none.
    pub audience: Option<OneOrMany>,
    /// The accepted clock skew, at most 5 minutes.
    pub leeway: Option<Lifetime>,
    /// Rejects tokens this long after their `iat`, whatever their `exp`.
    pub max_age: Option<OrFalse<Lifetime>>,
    /// The claim that holds the user's id beside `sub`, such as `userId`.
    pub subject_claim: Option<String>,
    /// Writes `subjectClaim` as a JSON number where the user's id is a whole number, for apps whose
    /// ids are numbers. `sub` is always text.
    pub numeric_subject: bool,
    /// Claims that a token must have. One without them is not issued either.
    pub required_claims: Vec<String>,
    /// The longest accepted token, in bytes: 256 to 65536.
    pub max_token_bytes: Option<usize>,
    /// How many verified tokens are cached, so that their signatures are not verified on every
    /// request. Expiry and revocation are checked each time.
    pub cache: Option<OrFalse<NonZeroUsize>>,
    /// Whether issued tokens have a random `jti`.
    pub jti: bool,
    /// Whether tokens of a legacy app are accepted: those without `typ`, or with `typ: JWT`. `true`
    /// is the same as `{}`.
    pub legacy: Option<LegacyOption>,
}

/// `access.legacy`: `true`, `false` or which tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
#[serde(
    untagged,
    expecting = "expected true, false or { maxLifetime, requiredClaims, forbiddenClaims }"
)]
pub enum LegacyOption {
    /// Accepted with the defaults, or rejected.
    Flag(bool),
    /// Accepted within these bounds.
    Bound(#[serde(deserialize_with = "object")] LegacyConfig),
}

/// Which tokens of a legacy app are accepted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LegacyConfig {
    /// The longest accepted lifetime, from `iat` to `exp`. It keeps the long-lived refresh tokens of
    /// the legacy app from passing as access tokens.
    pub max_lifetime: Option<Lifetime>,
    /// Claims that such a token must have.
    pub required_claims: Vec<String>,
    /// Claims that such a token must not have, for example the one that marks the links for
    /// password resets that the legacy app signed with the same secret.
    pub forbidden_claims: Vec<String>,
}

/// Sessions and refresh tokens.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RefreshConfig {
    /// A session expires when it is not refreshed for this long.
    pub idle_ttl: Option<Lifetime>,
    /// A session expires this long after its login. If only a longer `idleTtl` is given, that
    /// applies here too.
    pub absolute_ttl: Option<Lifetime>,
    /// For this long after the first use of the new tokens a refresh token gets the same new refresh token
    /// again, at most 5 minutes: for retries and concurrent requests.
    pub grace: Option<Lifetime>,
    /// The same while nobody has used the new pair, at least `grace` and at most 5 minutes: for
    /// responses that arrive late. If only a longer `grace` is given, that applies here too.
    pub unused_grace: Option<Lifetime>,
    /// Whether a refresh also issues a new refresh token. A session that has rotated once always
    /// rotates.
    pub rotation: Option<bool>,
    /// What is revoked when a refresh token is reused: its session, or all sessions of the user
    /// (`subject`).
    pub on_theft: Option<TheftScope>,
    /// The maximum number of live sessions of a user. A login over the limit revokes the least
    /// recently refreshed sessions (reason `displaced`). As many revoked sessions are kept, with
    /// their reasons; with `false` all are kept until they expire.
    pub max_sessions: Option<OrFalse<NonZeroU32>>,
    /// The maximum number of concurrent refreshes in this process, and likewise of logins and lists, of
    /// revocations, and of checks against the store. Further ones fail at once with
    /// `ERR_STORE_UNAVAILABLE`.
    pub max_in_flight: Option<NonZeroU32>,
    /// Whether the address and the user agent of the login and of the latest refresh are stored with the
    /// session, listed, and named in audit events. With `false` they are neither; the limiter counts by
    /// address all the same.
    pub record_clients: Option<bool>,
    /// Limits failed refreshes: per client address those with tokens that were not issued here, and
    /// per user those with rejected tokens. Further ones fail with `ERR_TOO_MANY_ATTEMPTS` (429,
    /// `Retry-After`). A valid refresh always succeeds, so nobody can lock out anybody else. Those of a
    /// user are counted by all processes together, those of an address by each process.
    pub limiter: Option<OrFalse<LimiterConfig>>,
}

/// The limit of failed refreshes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LimiterConfig {
    /// How many failures are allowed in a window.
    pub failures: Option<NonZeroU32>,
    /// The length of the window, from the first failure on; at most one day.
    pub window: Option<Lifetime>,
}

/// Revocations by other processes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RevocationConfig {
    /// How far this process may lag behind the revocation feed before a route's `whenStale`
    /// applies.
    pub max_staleness: Option<Lifetime>,
}

/// The connection to Redis, apart from its address.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RedisConfig {
    /// The prefix of all keys.
    pub prefix: Option<String>,
    /// The timeout of one operation, connecting included, at most 5 minutes. It applies to PostgreSQL and files too.
    pub timeout: Option<Lifetime>,
    /// A PEM file with the trusted certificate authorities, for `rediss` addresses. By default the
    /// system's. A server whose own certificate is in the file is trusted whatever that certificate
    /// says.
    pub ca_file: Option<PathBuf>,
    /// The name that the servers' certificates must have. By default the host that is connected to.
    pub server_name: Option<String>,
    /// A PEM file with the certificate chain of this client.
    pub cert_file: Option<PathBuf>,
    /// A PEM file with the private key of that certificate.
    pub key_file: Option<PathBuf>,
    /// The credentials for the Sentinels, if they require any. Those in the address are for the
    /// data servers.
    pub sentinel: Option<SentinelConfig>,
    /// How many replicas must acknowledge a login or a revocation (`WAIT`) before it counts as
    /// replicated. By default 1 with Sentinels and in a cluster, else 0. The write stands either
    /// way; too few acknowledgements are logged, and shown in the audit event of a revocation.
    pub replicas: Option<u32>,
    /// How long to wait for the replicas, at most 5 minutes.
    pub replica_timeout: Option<Lifetime>,
    /// What to do about a server whose `maxmemory-policy` may evict live sessions: log a warning,
    /// or `refuse` to use it, so that operations fail with `ERR_STORE_UNAVAILABLE`.
    pub eviction: Option<Eviction>,
}

/// Credentials for the Sentinels.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SentinelConfig {
    /// The user. By default the Sentinels' `default` user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretConfig>,
}

/// Sessions whose tokens are bound to a key of the client (DPoP, RFC 9449), so that a stolen token
/// is useless without the key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DpopConfig {
    /// The origin by which clients reach this server, such as `https://api.example`, or several. A
    /// proof covers the full URL of its request, and the `Host` header of a request cannot be
    /// trusted.
    pub origin: OneOrMany,
    /// Whether the access tokens of bound sessions are bound too, so that each request needs a
    /// proof. Otherwise only refreshes and logouts do.
    pub access: Option<bool>,
    /// Whether a login needs a proof. Existing sessions are not affected.
    #[serde(default)]
    pub required: bool,
    /// How long after its `iat` a proof is accepted, at most 10 minutes.
    pub max_age: Option<Lifetime>,
    /// How far the `iat` of a proof may be in the future, at most 5 minutes.
    pub leeway: Option<Lifetime>,
    /// Requires a nonce of the server in each proof (RFC 9449 §8), renewed at this interval.
    pub nonce: Option<OrFalse<Lifetime>>,
    /// How many used proofs are remembered, so that none is used twice; a hundredth of it for one key.
    pub capacity: Option<usize>,
}

/// How tokens travel between this server and its clients: cookies, the header, and the origins of
/// pages. All endpoints and all middleware use it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WebConfig {
    /// The cookie that carries the refresh token: a name, or `true` for the default one. With
    /// `false`, refresh tokens travel in the JSON bodies of requests and responses.
    pub refresh_cookie: Option<TokenCookie>,
    /// The path of the refresh cookie, `/` for a name that begins with `__Host-`. Browsers send the
    /// cookie only to this path and below it: mount refresh and logout there.
    pub path: Option<String>,
    /// A cookie that carries the access token where a request has none in its header: a name, or
    /// `true` for `accessToken`. A login and a refresh set it in addition to the JSON response.
    pub access_cookie: Option<TokenCookie>,
    /// The header that carries the access token, with a value such as `Bearer <token>`.
    pub access_header: Option<String>,
    /// Whether browsers send the cookies over HTTPS only. `"auto"`: where the request came by
    /// HTTPS, which behind a proxy needs the framework's setting for it. `false` is for plain HTTP.
    pub secure: Option<SecureCookie>,
    /// The domain of the cookies, whose hosts all get them. By default only the host that set a
    /// cookie gets it.
    pub domain: Option<String>,
    /// Origins beside the server's own whose pages may use the cookies, such as
    /// `https://app.example.com` for a server at `https://api.example.com`.
    pub allowed_origins: Vec<String>,
}

/// A legacy app whose refresh tokens are migrated.
#[derive(Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrateConfig {
    /// The secret that signed its refresh tokens. By default `secret`.
    pub secret: Option<SecretConfig>,
    /// The Redis that holds them: `redis://…`, or one with Sentinels. By default `store`, if that is
    /// one. The `redis` options apply to both.
    pub store: Option<String>,
}

/// The configuration of an auth object. Unknown options are rejected.
#[derive(Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthConfig {
    /// See [`KeysConfig::secret`].
    pub secret: Option<SecretConfig>,
    /// See [`KeysConfig::previous_secrets`].
    #[serde(default)]
    pub previous_secrets: Vec<SecretConfig>,
    /// See [`KeysConfig::allow_short_secret`].
    #[serde(default)]
    pub allow_short_secret: bool,
    /// See [`KeysConfig::keys`].
    #[serde(default)]
    pub keys: Vec<KeyConfig>,
    /// See [`KeysConfig::refresh_secret`].
    pub refresh_secret: Option<SecretConfig>,
    /// See [`KeysConfig::previous_refresh_secrets`].
    #[serde(default)]
    pub previous_refresh_secrets: Vec<SecretConfig>,
    /// The name of the realm, which keeps sessions and refresh tokens apart from those of other apps with
    /// the same secret or store, 1 to 4096 bytes. By default the first issuer and the audiences of access
    /// tokens, the latter in alphabetical order, separated by spaces (as a space and the JSON
    /// `["issuer",["audience"]]`, if the issuer is not a URL, an audience without an issuer is one, or
    /// either has a space). Give that as the name before you change the issuer or an audience, or every
    /// user signs in again. Access tokens are told apart by
    /// issuer and audience alone: apps with the same keys, issuer and audience accept each other's until
    /// they expire, whatever their realms.
    pub realm: Option<String>,
    /// The realms whose sessions go on here, such as the former `realm`. By default `[""]`, the sessions
    /// of apps without issuer and audience, to which all belong that began before there were realms. With
    /// `[]` only those of `realm` are accepted.
    pub previous_realms: Option<Vec<String>>,
    /// Access tokens: what is issued and what is accepted.
    #[serde(default)]
    pub access: AccessConfig,
    /// Sessions and refresh tokens.
    #[serde(default)]
    pub refresh: RefreshConfig,
    /// Where sessions are stored.
    ///
    /// - `file:PATH`: a file, for any number of processes on one machine; the default is a file in
    ///   the working directory.
    /// - `redis://USER:PASSWORD@HOST:PORT/DB`: a Redis server.
    /// - `redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER/DB`: Redis with Sentinels. The
    ///   hosts are the Sentinels, the credentials those of the data servers.
    /// - `redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT`: a Redis Cluster.
    /// - `postgres://USER:PASSWORD@HOST:PORT/DATABASE`: a PostgreSQL database. With
    ///   `?sslmode=verify-full` the connection uses TLS.
    /// - `memory:`: the memory of one process, for tests.
    ///
    /// With `rediss` in place of `redis` the connection uses TLS. Special characters in user and
    /// password are percent-encoded.
    pub store: Option<String>,
    /// The address of the store that this app used before, while its sessions move to `store`: sessions
    /// there go on in `store`, and revocations reach processes that still use it. Both must be reachable.
    /// Where both are Redis, they have the same prefix and options. Remove it when `regrant sessions copy`
    /// has finished and no process uses the former store.
    pub previous_store: Option<String>,
    /// Revocations by other processes.
    #[serde(default)]
    pub revocation: RevocationConfig,
    /// The connection to Redis, apart from its address.
    #[serde(default)]
    pub redis: RedisConfig,
    /// Allows sessions whose tokens are bound to a key of the client (DPoP, RFC 9449). Without this
    /// option no proof is checked.
    pub dpop: Option<OrFalse<DpopConfig>>,
    /// How tokens travel between this server and its clients: cookies, the header, and the origins
    /// of pages. All endpoints and all middleware use it.
    #[serde(default)]
    pub web: WebConfig,
    /// A legacy app whose refresh tokens are migrated.
    pub migrate: Option<MigrateConfig>,
}

/// An issuer whose tokens are accepted. Exactly one of `jwksUri`, `jwks` and `keys` is given.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerConfig {
    /// The `iss` of its tokens (RFC 7519 §4.1.1), or several. It is compared, never fetched. For a service
    /// whose tenants have issuers of their own and the same keys, `*` stands for one segment of the path,
    /// as in `https://login.example/tenants/*`: then check in the app which tenants may enter.
    pub issuer: OneOrMany,
    /// The names of this service, one of which a token must have in `aud`. Without this option a
    /// token must have none.
    pub audience: Option<OneOrMany>,
    /// The URL of its JWK Set (RFC 8414 §2): `https`, or `http` on loopback.
    pub jwks_uri: Option<String>,
    /// Accepts a `jwksUri` with `http` on any host. An attacker in the network could answer
    /// in place of the issuer and sign tokens for any user: only for a network that is closed to
    /// others, such as that of the containers of one machine.
    #[serde(default)]
    pub allow_insecure_requests: bool,
    /// Its JWK Set, as an object or as text.
    #[cfg_attr(test, schemars(extend("tsType" = "JwkSet | object | string")))]
    pub jwks: Option<Value>,
    /// Its keys: public keys, or a secret shared with it.
    #[cfg_attr(test, schemars(extend("tsType" = "readonly Omit<KeyConfig, 'active'>[]")))]
    pub keys: Option<Vec<KeyConfig>>,
    /// The algorithm of RSA keys in a set that have no `alg`.
    pub rsa_algorithm: Option<Algorithm>,
    /// The accepted clock skew, at most 5 minutes.
    pub leeway: Option<Lifetime>,
    /// Rejects tokens this long after their `iat`, whatever their `exp`.
    pub max_age: Option<OrFalse<Lifetime>>,
    /// The claim that holds the user's id.
    pub subject_claim: Option<String>,
    /// Claims that a token must have.
    #[serde(default)]
    pub required_claims: Vec<String>,
    /// The longest accepted token, in bytes: 256 to 65536.
    pub max_token_bytes: Option<usize>,
    /// How many verified tokens are cached.
    pub cache: Option<OrFalse<NonZeroUsize>>,
    /// Whether tokens without `typ: at+jwt` (RFC 9068 §2.1) are accepted, as many issuers write
    /// them. ID tokens and other tokens with this audience then pass as well. `true` is the same as
    /// `{}`.
    pub legacy: Option<LegacyOption>,
}

/// When JWK Sets are fetched.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KeySetsConfig {
    /// The shortest time between two fetches from an issuer, 1 second to 30 days. A token with an
    /// unknown `kid` triggers a fetch, so this limits what forged tokens can cause.
    pub refetch_cooldown: Option<Lifetime>,
    /// How long a set is fresh whose response has no `Cache-Control: max-age`, up to 30 days.
    pub max_age: Option<Lifetime>,
    /// How long a set is used after that while the issuer cannot be reached, up to 30 days.
    pub max_stale: Option<Lifetime>,
    /// The timeout of a fetch, at most 5 minutes.
    pub timeout: Option<Lifetime>,
}

/// How a service that verifies the tokens of others accepts DPoP-bound ones.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProofConfig {
    /// The origin by which clients reach this service, such as `https://orders.example`, or several.
    pub origin: OneOrMany,
    /// How long after its `iat` a proof is accepted, at most 10 minutes.
    pub max_age: Option<Lifetime>,
    /// How far the `iat` of a proof may be in the future, at most 5 minutes.
    pub leeway: Option<Lifetime>,
    /// How many used proofs are remembered, so that none is used twice; a hundredth of it for one key.
    pub capacity: Option<usize>,
}

/// How access tokens travel between clients and a service that verifies the tokens of others.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VerifierWebConfig {
    /// The cookie that carries the access token where a request has none in its header: a name, or
    /// `true` for `accessToken`.
    pub access_cookie: Option<TokenCookie>,
    /// The header that carries the access token, with a value such as `Bearer <token>`.
    pub access_header: Option<String>,
    /// Whether the server that sets the cookie marks it `Secure`, see `web.secure` of
    /// `createAuth`.
    pub secure: Option<SecureCookie>,
    /// The domain of the cookie.
    pub domain: Option<String>,
    /// Origins beside the server's own whose pages may use the cookie.
    pub allowed_origins: Vec<String>,
}

/// The configuration of a verifier of the tokens of other issuers. Unknown options are rejected.
///
/// ```json
/// {
///   "issuers": [
///     { "issuer": "https://auth.example", "audience": "api",
///       "jwksUri": "https://auth.example/.well-known/jwks.json" }
///   ]
/// }
/// ```
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifierConfig {
    /// The issuers whose tokens are accepted.
    pub issuers: Vec<IssuerConfig>,
    /// When JWK Sets are fetched.
    #[serde(default)]
    pub key_sets: KeySetsConfig,
    /// Accepts DPoP-bound tokens (RFC 9449), with a proof for each request. Otherwise they are
    /// rejected.
    pub dpop: Option<OrFalse<ProofConfig>>,
    /// How access tokens travel between clients and this service.
    #[serde(default)]
    pub web: VerifierWebConfig,
}
