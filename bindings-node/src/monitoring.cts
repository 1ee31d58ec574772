/** What operators see: log entries, audit events, metrics and the health of the store. */
import type { RevocationReason } from './catalog.cjs';
import type { ErrorCode } from './error-codes.cjs';
import type { ClientDetails } from './session.cjs';

/** The levels, the most severe first. */
export const logLevels: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** The severity of an entry. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** A log entry. It never contains a token or a secret. */
export interface LogEntry {
  /** `error`: an operator must act; `warn`: something failed, and the core recovers. */
  readonly level: LogLevel;
  /** Such as `regrant::store`; `regrant::audit` for what `onEvent` receives too. */
  readonly target: string;
  /** The message, always the same text for the same event. */
  readonly message: string;
  /** The fields. Those of `regrant::audit` name a user. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export function isLogLevel(level: unknown): level is LogLevel {
  return logLevels.some((known) => known === level);
}

/** Parses an entry that the core wrote as JSON. */
export function parseLogEntry(text: string): LogEntry {
  return JSON.parse(text) as LogEntry;
}

/** What was warned of, and of how many things at most. */
const warned = new Set<string>();
const MAX_WARNINGS = 1_000;

/** Emits a process warning, once for each `about`. */
export function emitOnce(about: string, text: string, code?: string): void {
  if (warned.has(about) || warned.size >= MAX_WARNINGS) return;
  warned.add(about);
  process.emitWarning(text, { type: 'RegrantWarning', ...(code !== undefined && { code }) });
}

/**
 * Emits an entry as a process warning, each message once, for apps without `onLog`. Audit entries are
 * left to `onEvent`.
 */
export function warnOnce({ target, message, fields }: LogEntry): void {
  if (target === 'regrant::audit') return;
  const details = Object.entries(fields)
    // Only the first session would be named.
    .filter(([name]) => name !== 'session')
    .map(([name, value]) => `${name}: ${String(value)}`);
  emitOnce(message, [message, ...details].join('; '));
}

/** The fields of all events. No event contains a token. */
export interface AuditEventBase {
  /** The time of the event. */
  readonly at: Date;
  /** The user. */
  readonly subject: string;
  /** The session. */
  readonly sessionId: string;
  /** The address of the client whose request caused it, if that is known; see `refresh.recordClients`. */
  readonly address?: string;
  /** The user agent of that client. */
  readonly userAgent?: string;
}

/** A login: a session was created. */
export interface LoginEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'login';
  /** The label of the device; empty if the app gave none. */
  readonly device: string;
  /** Who acts in place of the user (RFC 8693 §4.1): the `sub` of the claim `act`, if the login has that claim. */
  readonly actor?: string;
}

/** A refresh token of a legacy app was migrated to a session. */
export interface AdoptedEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'adopted';
}

/** A refresh issued new tokens. */
export interface RefreshedEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'refreshed';
  /** Whether the refresh token was replaced too. */
  readonly rotated: boolean;
}

/** A repeated refresh returned the same refresh token again: within `refresh.grace` or, while nobody has used the new pair, `refresh.unusedGrace`. */
export interface ReissuedEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'reissued';
}

/** A refresh used a token that had just been replaced; nothing was issued. */
export interface SupersededEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'superseded';
}

/** A refresh was refused: its token or its session has expired, or the session is revoked or unknown. */
export interface RefusedEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'refused';
  /** The code of the error. */
  readonly code: ErrorCode;
}

/** The app replaced the claims of a session. */
export interface UpdatedEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'updated';
}

/**
 * Reuse of a refresh token was detected and the session revoked (RFC 9700 §4.14). Which of the clients is the thief, nobody
 * can tell.
 */
export interface TheftEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'theft';
  /** How it was detected. */
  readonly how: string;
  /** Where the login came from. */
  readonly createdFrom?: ClientDetails;
  /** Where the last refresh came from. */
  readonly lastRefreshedFrom?: ClientDetails;
}

/** A session was revoked. */
export interface RevokedEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'revoked';
  /** The reason. */
  readonly reason: RevocationReason;
  /**
   * Whether enough replicas of the store acknowledged it; absent if none were waited for. If `false`, a
   * failover of the store may restore the session: revoke it again.
   */
  readonly replicated?: boolean;
}

/** An audit event. */
export type AuditEvent =
  | LoginEvent
  | AdoptedEvent
  | RefreshedEvent
  | ReissuedEvent
  | SupersededEvent
  | RefusedEvent
  | UpdatedEvent
  | TheftEvent
  | RevokedEvent;

/** Parses an event that the core wrote as JSON. */
export function parseEvent(text: string): AuditEvent {
  const event = JSON.parse(text) as AuditEvent & { at: number };
  return { ...event, at: new Date(event.at) };
}

/**
 * Access tokens that this process rejects from now on, whichever process revoked them. An absent field selects all: with
 * `issuedUntil` alone, every client must refresh once.
 */
export interface RevokedAccess {
  /** Those of this user. */
  readonly subject?: string;
  /** Those of this session. */
  readonly sessionId?: string;
  /** Not those of this session. */
  readonly exceptSession?: string;
  /** Those issued up to this instant. */
  readonly issuedUntil?: Date;
}

/** Parses what the core wrote as JSON. */
export function parseRevoked(text: string): RevokedAccess {
  const { issuedUntil, ...revoked } = JSON.parse(text) as Omit<RevokedAccess, 'issuedUntil'> & { issuedUntil?: number };
  return issuedUntil === undefined ? revoked : { ...revoked, issuedUntil: new Date(issuedUntil) };
}

/** What every metric has. */
interface MetricBase {
  /** The name in Prometheus, for example `regrant_refreshes_total`. */
  readonly name: string;
  /** The meaning, in one sentence. */
  readonly help: string;
}

/** A counter, which only grows, or a gauge. */
export interface NumberMetric extends MetricBase {
  /** The kind of metric. */
  readonly type: 'counter' | 'gauge';
  /** One for each combination of labels. */
  readonly values: readonly NumberValue[];
}

/** The value for one combination of labels. */
export interface NumberValue {
  /** The labels, by name. */
  readonly labels: Readonly<Record<string, string>>;
  /** The value; durations are in seconds. */
  readonly value: number;
}

/** A bucket of a histogram; cumulative. */
export interface Bucket {
  /** The upper bound, inclusive, in seconds. */
  readonly le: number;
  /** The number of values up to the bound. */
  readonly count: number;
}

/** The distribution of values for one combination of labels. */
export interface Histogram {
  /** The labels, by name. */
  readonly labels: Readonly<Record<string, string>>;
  /** The number of values. */
  readonly count: number;
  /** Their sum; durations are in seconds. */
  readonly sum: number;
  /** The buckets, by bound. */
  readonly buckets: readonly Bucket[];
}

/** A histogram; all are of durations, in seconds. */
export interface HistogramMetric extends MetricBase {
  /** The kind of metric. */
  readonly type: 'histogram';
  /** One for each combination of labels. */
  readonly values: readonly Histogram[];
}

/** A metric and its values. */
export type Metric = NumberMetric | HistogramMetric;

/** The code of a warning; its `text` says what to do. */
export type StoreWarningCode =
  /** A server is unreachable, or refused because of its settings. */
  | 'unreachable'
  /** The server may evict live sessions. */
  | 'evicting_policy'
  /** Fewer replicas are connected than logins and revocations wait for. */
  | 'no_replica'
  /** A restart of the server loses all sessions. */
  | 'no_persistence'
  /** The data is damaged. */
  | 'damaged'
  /** The server does not have or allow a command that this report or a safeguard needs. */
  | 'not_allowed'
  /** The store is out of memory. Redis still accepts refreshes and revocations, but no logins. */
  | 'out_of_memory'
  /** The store cannot write to its disk. */
  | 'disk_full'
  /** The store responds, but refuses writes. */
  | 'not_writable';

/** A warning for operators. */
export interface StoreWarning {
  /** The code. */
  readonly code: StoreWarningCode;
  /** The server: `host:port`. */
  readonly server?: string;
  /** The message. */
  readonly text: string;
}

/** A server of the store. Unknown values are `null`. */
export interface ServerHealth {
  /** `host:port`. */
  readonly address: string;
  /** Whether it is reachable. */
  readonly reachable: boolean;
  /** The round trip, in milliseconds. */
  readonly roundTripMs: number | null;
  /** The version of the server. */
  readonly version: string | null;
  /** `master` accepts writes. */
  readonly role: 'master' | 'replica' | null;
  /** The number of connected replicas. */
  readonly replicas: number | null;
  /** What survives a restart: everything (`aof`), all but the last minutes (`rdb`), or nothing. */
  readonly persistence: 'aof' | 'rdb' | 'none' | null;
  /** Its `maxmemory-policy`. */
  readonly evictionPolicy: string | null;
}

/** A health report. */
export interface StoreHealth {
  /** The type of store. */
  readonly store: 'memory' | 'file' | 'redis' | 'postgres' | 'custom';
  /**
   * Whether logins, refreshes and logouts would succeed now: a write as a login makes it has
   * succeeded within the last second, on every server. For readiness checks.
   */
  readonly ready: boolean;
  /** Whether all servers respond, even if with an error. */
  readonly reachable: boolean;
  /** The round trip to the slowest server, in milliseconds. */
  readonly roundTripMs: number | null;
  /** The topology of Redis. */
  readonly layout?: 'standalone' | 'sentinel' | 'cluster';
  /** The Redis servers to which the store writes. */
  readonly servers?: readonly ServerHealth[];
  /** Warnings; empty if the store is healthy. */
  readonly warnings: readonly StoreWarning[];
}
