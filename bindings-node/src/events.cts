/** Audit events. */
import type { RevocationReason } from './auth-error.cjs';

/** The fields of all events. No event contains a token. */
export interface AuditEventBase {
  /** The time of the event. */
  readonly at: Date;
  /** The user. */
  readonly subject: string;
  /** The session. */
  readonly sessionId: string;
}

/** A login: a session was created. */
export interface LoginEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'login';
  /** The label of the device; empty if the app gave none. */
  readonly device: string;
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

/** A refresh within the grace period returned the same refresh token again. */
export interface ReissuedEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'reissued';
}

/** A refresh used a token that had just been replaced; nothing was issued. */
export interface SupersededEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'superseded';
}

/** Reuse of a refresh token was detected and the session revoked (RFC 9700 §4.14). */
export interface TheftEvent extends AuditEventBase {
  /** The type of the event. */
  readonly type: 'theft';
  /** How it was detected. */
  readonly how: string;
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
  | TheftEvent
  | RevokedEvent;

/** Parses an event that the core wrote as JSON. */
export function parseEvent(text: string): AuditEvent {
  const event = JSON.parse(text) as AuditEvent & { at: number };
  return { ...event, at: new Date(event.at) };
}
