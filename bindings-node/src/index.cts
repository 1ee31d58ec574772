/**
 * regrant: access tokens verified in-process, refresh tokens rotated with reuse detection.
 *
 * @module regrant
 */

export { createAuth } from './auth.cjs';
export { createVerifier } from './verifier.cjs';
export { custom } from './custom-store.cjs';
export { AuthError } from './catalog.cjs';
export { errorCodes } from './error-codes.cjs';
export { TestClock } from '../native.cjs';
export type {
  AppClaims,
  ClaimsSource,
  ClientDetails,
  IssueOptions,
  IssuedAccessToken,
  LoginOptions,
  LogoutEverywhereOptions,
  LogoutOptions,
  RefreshContext,
  RefreshOptions,
  Renewal,
  Renewed,
  RequestProof,
  SessionInfo,
  SubjectId,
  SweepOptions,
  SweepReport,
  TokenPair,
  UpdateOptions,
} from './session.cjs';
export type { Auth, WhenStale } from './auth.cjs';
export type { CustomStore, KeyValueStore, PutOptions, Version, VersionedValue } from './custom-store.cjs';
export type { JwkSet, PublicJwk } from './jwk-set.cjs';
export type { AuthErrorJson, AuthErrorOptions, Messages, RevocationReason } from './catalog.cjs';
export type { AccessClaims, VerifiedAccess } from './claims.cjs';
export type {
  AccessConfig,
  Algorithm,
  AuthOptions,
  DpopConfig,
  IssuerConfig,
  KeyConfig,
  KeySetsConfig,
  KeysConfig,
  LegacyConfig,
  Lifetime,
  LimiterConfig,
  MigrateOptions,
  ProofConfig,
  RedisConfig,
  RefreshConfig,
  RevocationConfig,
  Secret,
  SentinelConfig,
  VerifierOptions,
  VerifierWebConfig,
  WebConfig,
} from './options.cjs';
export type {
  AuthConfig, FetchKeySet, MaybeUser, MigrateConfig, ResolveIssuer, ResolvedIssuer, VerifierConfig,
} from './config.cjs';
export type { Advice, ErrorCode, ErrorInfo, Language } from './error-codes.cjs';
export type {
  AdoptedEvent,
  AuditEvent,
  AuditEventBase,
  Bucket,
  Histogram,
  HistogramMetric,
  LogEntry,
  LogLevel,
  LoginEvent,
  Metric,
  NumberMetric,
  NumberValue,
  RefreshedEvent,
  RefusedEvent,
  ReissuedEvent,
  RevokedAccess,
  RevokedEvent,
  ServerHealth,
  StoreHealth,
  StoreWarning,
  StoreWarningCode,
  SupersededEvent,
  TheftEvent,
  UpdatedEvent,
} from './monitoring.cjs';
export type { Verifier } from './verifier.cjs';
