/** The results of login and refresh. */

/** The tokens of a session. */
export interface TokenPair {
  /** The access token, for every request. */
  readonly accessToken: string;
  /** When the access token expires. */
  readonly accessExpiresAt: Date;
  /** Whole seconds until the access token expires. */
  readonly accessExpiresIn: number;
  /** The refresh token, for the refresh endpoint only. */
  readonly refreshToken: string;
  /** When the refresh token expires unless it is used before. */
  readonly refreshExpiresAt: Date;
  /** Whole seconds until the refresh token expires. */
  readonly refreshExpiresIn: number;
  /** The session. */
  readonly sessionId: string;
  /** The user of the session. */
  readonly subject: string;
}

/** Whether a refresh issued a new refresh token, the same new one again within the grace period, or none. */
export type Renewal = 'issued' | 'reissued' | 'kept';

/** The result of a refresh. `refreshToken` is the one to store, whether it is new or not. */
export interface Renewed extends TokenPair {
  /** Whether `refreshToken` differs from the presented one. */
  readonly rotated: boolean;
  /** The kind of renewal. */
  readonly renewal: Renewal;
}

/** The JSON of the core; times are milliseconds since 1970. */
interface Written {
  now: number;
  accessToken: string;
  accessExpiresAt: number;
  refreshToken: string | null;
  refreshExpiresAt: number;
  sessionId: string;
  subject: string;
}

/** The pair in the core's JSON, with `presented` if no refresh token was issued. */
function pair(written: Written, presented: string): TokenPair {
  const { now, accessToken, accessExpiresAt, refreshToken, refreshExpiresAt } = written;
  const { sessionId, subject } = written;
  return {
    accessToken,
    accessExpiresAt: new Date(accessExpiresAt),
    accessExpiresIn: wholeSeconds(accessExpiresAt - now),
    refreshToken: refreshToken ?? presented,
    refreshExpiresAt: new Date(refreshExpiresAt),
    refreshExpiresIn: wholeSeconds(refreshExpiresAt - now),
    sessionId,
    subject,
  };
}

function wholeSeconds(ms: number): number {
  return Math.max(0, Math.floor(ms / 1000));
}

/** Parses the result of a login. */
export function parsePair(text: string): TokenPair {
  return pair(JSON.parse(text) as Written, '');
}

/** Parses the result of a refresh with `presented`. */
export function parseRenewed(text: string, presented: string): Renewed {
  const written = JSON.parse(text) as Written & { renewal: Renewal };
  return { ...pair(written, presented), rotated: written.refreshToken !== null, renewal: written.renewal };
}
