/**
 * regrant: access tokens verified in-process, refresh tokens rotated with reuse detection.
 *
 * @module regrant
 */
export { createAuth } from './create-auth.cjs';
export { createVerifier } from './create-verifier.cjs';
export { AuthError } from './auth-error.cjs';
export { errorCodes } from './error-codes.cjs';
export { TestClock } from '../native.cjs';
export type {
  AppClaims,
  Auth,
  ClaimsSource,
  LoginOptions,
  LogoutEverywhereOptions,
  RefreshOptions,
  SubjectId,
  WhenStale,
} from './auth.cjs';
export type { AuthErrorJson, AuthErrorOptions, RevocationReason } from './auth-error.cjs';
export type { AccessClaims, VerifiedAccess } from './claims.cjs';
export type {
  AccessConfig,
  Algorithm,
  AuthConfig,
  AuthOptions,
  DpopConfig,
  KeyConfig,
  KeysConfig,
  LegacyConfig,
  LimiterConfig,
  Lifetime,
  MigrateOptions,
  ProofConfig,
  RedisConfig,
  RefreshConfig,
  RevocationConfig,
  Secret,
  SentinelConfig,
  VerifierOptions,
} from './config.cjs';
export type { Advice, ErrorCode, ErrorCodeInfo, Language } from './error-codes.cjs';
export type {
  AdoptedEvent,
  AuditEvent,
  AuditEventBase,
  LoginEvent,
  RefreshedEvent,
  ReissuedEvent,
  RevokedEvent,
  SupersededEvent,
  TheftEvent,
} from './events.cjs';
export type { FetchKeySet, IssuerConfig, KeySetsConfig, VerifierConfig } from './issuers-config.cjs';
export type { JwkSet, PublicJwk } from './jwk-set.cjs';
export type { LogEntry, LogLevel } from './log.cjs';
export type { Bucket, Histogram, HistogramMetric, Metric, NumberMetric, NumberValue } from './metrics.cjs';
export type { MaybeUser, MigrateConfig, SweepOptions, SweepReport } from './migrate.cjs';
export type { SessionInfo } from './session-info.cjs';
export type { ServerHealth, StoreHealth, StoreWarning, StoreWarningCode } from './store-health.cjs';
export type { RequestProof } from './proof.cjs';
export type { Messages } from './catalog.cjs';
export type { Renewal, Renewed, TokenPair } from './tokens.cjs';
export type { Verifier } from './verifier.cjs';
