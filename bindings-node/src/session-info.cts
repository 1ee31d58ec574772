/** The sessions of a user, for display. */
import type { RevocationReason } from './auth-error.cjs';

/** A session of a user. */
export interface SessionInfo {
  /** The session. */
  readonly sessionId: string;
  /** The label of the device; empty if the app gave none. */
  readonly device: string;
  /** When the user logged in. */
  readonly createdAt: Date;
  /** The last refresh, or the login. */
  readonly lastRefreshedAt: Date;
  /** When it expires unless it is refreshed or revoked before. */
  readonly expiresAt: Date;
  /** Whether it is the session of `current`. */
  readonly current: boolean;
  /** Whether it is live or revoked. */
  readonly state: 'live' | 'revoked';
  /** The reason of the revocation. */
  readonly reason?: RevocationReason;
  /** When it was revoked. */
  readonly endedAt?: Date;
}

/** Parses sessions that the core wrote as JSON; times are milliseconds since 1970. */
export function parseSessions(text: string): SessionInfo[] {
  type Instants = 'createdAt' | 'lastRefreshedAt' | 'expiresAt';
  type Written = Omit<SessionInfo, Instants | 'endedAt'> & Record<Instants, number> & { endedAt?: number };
  return (JSON.parse(text) as Written[]).map(({ endedAt, ...written }) => ({
    ...written,
    ...(endedAt !== undefined && { endedAt: new Date(endedAt) }),
    createdAt: new Date(written.createdAt),
    lastRefreshedAt: new Date(written.lastRefreshedAt),
    expiresAt: new Date(written.expiresAt),
  }));
}
