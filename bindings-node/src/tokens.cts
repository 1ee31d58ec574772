/** What login and refresh answer with. */

/** The tokens of a session. */
export interface TokenPair {
  /** Goes with every request. */
  readonly accessToken: string;
  /** When the access token expires. */
  readonly accessExpiresAt: Date;
  /** Whole seconds until the access token expires. */
  readonly accessExpiresIn: number;
  /** Goes to the refresh endpoint and nowhere else. */
  readonly refreshToken: string;
  /** When the refresh token expires unless it is used before. */
  readonly refreshExpiresAt: Date;
  /** Whole seconds until the refresh token expires. */
  readonly refreshExpiresIn: number;
  /** The session. */
  readonly sessionId: string;
  /** The user: the session's, whatever the client claimed. */
  readonly subject: string;
}

/** How a refresh was answered: with a new refresh token, with the same new one as a moment ago, or with none. */
export type Renewal = 'issued' | 'reissued' | 'kept';

/** The answer to a refresh. `refreshToken` is the one to keep, whether it is new or not. */
export interface Renewed extends TokenPair {
  /** Whether `refreshToken` is another one than was presented. */
  readonly rotated: boolean;
  /** How the refresh was answered. */
  readonly renewal: Renewal;
}

/** What the core writes as JSON; instants are milliseconds since 1970. */
interface Written {
  now: number;
  accessToken: string;
  accessExpiresAt: number;
  refreshToken: string | null;
  refreshExpiresAt: number;
  sessionId: string;
  subject: string;
}

/** The pair that the core wrote; `presented` stands in where no refresh token was issued. */
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

/** The answer to a login. */
export function parsePair(text: string): TokenPair {
  return pair(JSON.parse(text) as Written, '');
}

/** The answer to a refresh with `presented`. */
export function parseRenewed(text: string, presented: string): Renewed {
  const written = JSON.parse(text) as Written & { renewal: Renewal };
  return { ...pair(written, presented), rotated: written.refreshToken !== null, renewal: written.renewal };
}
