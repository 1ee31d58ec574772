/** The app that was here before, whose refresh tokens are taken over: what `migrate` takes. */
import type { SubjectId } from './auth.cjs';
import type { Secret } from './config.cjs';

/** An app whose refresh tokens are HS256 JWTs that a Redis maps to their users. */
export interface MigrateConfig {
  /** The secret that signed them; default: `secret`. */
  secret?: Secret | undefined;
  /** The Redis whose keys they are: `'redis://…'`; default: `store`, where that is one. */
  store?: string | undefined;
  /**
   * Finds the user by the value in that Redis, such as an e-mail address; asked once per token.
   * `undefined` or `null`: there is no such user any more. By default the value is the user's id.
   *
   * What it throws is `ERR_STORE_UNAVAILABLE` to the client: nobody is signed out.
   */
  resolve?: ((value: string) => MaybeUser | Promise<MaybeUser>) | undefined;
}

/** A user, or none. */
export type MaybeUser = SubjectId | undefined | null;

/** How to sweep. */
export interface SweepOptions {
  /** Counts and changes nothing; default false. */
  dryRun?: boolean | undefined;
  /** Also removes tokens that have expired or whose user is gone; default false. */
  removeDead?: boolean | undefined;
  /** Called after each page of keys. */
  onProgress?: ((soFar: SweepReport) => void) | undefined;
}

/** What a sweep has met. A key may be met more than once. */
export interface SweepReport {
  /** Keys that were looked at. */
  readonly scanned: number;
  /** Tokens that became sessions and whose keys were removed; with `dryRun`, would be. */
  readonly converted: number;
  /** Tokens that had been logged out. */
  readonly loggedOut: number;
  /** Tokens past their `exp`. */
  readonly expired: number;
  /** Tokens of users whom the app does not know any more. */
  readonly unknownUsers: number;
  /** Keys that are no token of the old app; never touched. */
  readonly foreign: number;
  /** Keys of expired tokens and unknown users that were removed. */
  readonly removed: number;
}

/** `resolve` as the core asks it: answers with JSON text, also for what it throws. */
export function answering(
  resolve: NonNullable<MigrateConfig['resolve']>,
): (value: string) => Promise<string> {
  return async (value) => {
    try {
      const user: unknown = await resolve(value);
      if (user === undefined || user === null) return JSON.stringify({ user: null });
      if (typeof user === 'string' || Number.isSafeInteger(user)) return JSON.stringify({ user: String(user) });
      return JSON.stringify({ failed: 'migrate.resolve gave neither text nor a whole number' });
    } catch (thrown) {
      return JSON.stringify({ failed: thrown instanceof Error ? thrown.message : 'migrate.resolve failed' });
    }
  };
}
