/** What happened to sessions, for the app's audit log. */
import type { RevocationReason } from './auth-error.cjs';

/** What all events have. No event contains a token. */
export interface AuditEventBase {
  /** When. */
  readonly at: Date;
  /** Whose session. */
  readonly subject: string;
  /** Which session. */
  readonly sessionId: string;
}

/** A session began. */
export interface LoginEvent extends AuditEventBase {
  /** Tells the events apart. */
  readonly type: 'login';
  /** The label of the device; empty when the app gave none. */
  readonly device: string;
}

/** A refresh token of the app that was here before was taken over as a session. */
export interface AdoptedEvent extends AuditEventBase {
  /** Tells the events apart. */
  readonly type: 'adopted';
}

/** A refresh was answered with new tokens. */
export interface RefreshedEvent extends AuditEventBase {
  /** Tells the events apart. */
  readonly type: 'refreshed';
  /** Whether the refresh token was replaced too. */
  readonly rotated: boolean;
}

/** A refresh was answered with the same refresh token once more. */
export interface ReissuedEvent extends AuditEventBase {
  /** Tells the events apart. */
  readonly type: 'reissued';
}

/** A refresh came with a token that its holder had already replaced; nothing was issued. */
export interface SupersededEvent extends AuditEventBase {
  /** Tells the events apart. */
  readonly type: 'superseded';
}

/** A second holder was recognised and the session revoked (RFC 9700 §4.14). */
export interface TheftEvent extends AuditEventBase {
  /** Tells the events apart. */
  readonly type: 'theft';
  /** How it was recognised. */
  readonly how: string;
}

/** A session was ended. */
export interface RevokedEvent extends AuditEventBase {
  /** Tells the events apart. */
  readonly type: 'revoked';
  /** Why. */
  readonly reason: RevocationReason;
  /**
   * Whether replicas of the store have it; absent where that was not asked. Where it is `false`,
   * a failover of the store may bring the session back: revoke it again.
   */
  readonly replicated?: boolean;
}

/** Something that happened to a session. */
export type AuditEvent =
  | LoginEvent
  | AdoptedEvent
  | RefreshedEvent
  | ReissuedEvent
  | SupersededEvent
  | TheftEvent
  | RevokedEvent;

/** The event that the core wrote as JSON. */
export function parseEvent(text: string): AuditEvent {
  const event = JSON.parse(text) as AuditEvent & { at: number };
  return { ...event, at: new Date(event.at) };
}
