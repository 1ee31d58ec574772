/** The sessions of a user, as people want to see them. */
import type { RevocationReason } from './auth-error.cjs';

/** A session of a user: "where am I logged in?" */
export interface SessionInfo {
  /** The session. */
  readonly sessionId: string;
  /** The label of the device; empty when the app gave none. */
  readonly device: string;
  /** When the user logged in. */
  readonly createdAt: Date;
  /** When it was last refreshed, or the login. */
  readonly lastRefreshedAt: Date;
  /** When it ends unless it is refreshed before, or ended. */
  readonly expiresAt: Date;
  /** Whether it is the one that asks. */
  readonly current: boolean;
  /** Whether it can be used. */
  readonly state: 'live' | 'revoked';
  /** Why it was ended. */
  readonly reason?: RevocationReason;
  /** When it was ended. */
  readonly endedAt?: Date;
}

/** The sessions that the core wrote as JSON; instants are milliseconds since 1970. */
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
