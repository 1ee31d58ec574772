/** The migration of the refresh tokens of a legacy app. */
import type { SubjectId } from './auth.cjs';
import type { MigrateOptions } from './options.cjs';

/** A legacy app whose refresh tokens are HS256 JWTs that a Redis maps to their users. */
export interface MigrateConfig extends MigrateOptions {
  /**
   * Finds the user by the value in that Redis, such as an e-mail address; called once per token.
   * `undefined` or `null` means that the user no longer exists. By default the value is the user's id.
   *
   * If it throws, the client gets `ERR_STORE_UNAVAILABLE` and nobody is signed out.
   */
  resolve?: ((value: string) => MaybeUser | Promise<MaybeUser>) | undefined;
}

/** A user, or none. */
export type MaybeUser = SubjectId | undefined | null;

/** The options of a sweep. */
export interface SweepOptions {
  /** Counts without changing anything; default `false`. */
  dryRun?: boolean | undefined;
  /** Also removes expired tokens and those of unknown users; default `false`. */
  removeDead?: boolean | undefined;
  /** Called after each page of keys. */
  onProgress?: ((soFar: SweepReport) => void) | undefined;
}

/** The counts of a sweep. A key may be counted more than once. */
export interface SweepReport {
  /** Scanned keys. */
  readonly scanned: number;
  /** Tokens that were migrated to sessions, or with `dryRun` would be. */
  readonly converted: number;
  /** Tokens that were logged out. */
  readonly loggedOut: number;
  /** Tokens past their `exp`. */
  readonly expired: number;
  /** Tokens of unknown users. */
  readonly unknownUsers: number;
  /** Keys that hold no token of the legacy app. They are never changed. */
  readonly foreign: number;
  /** Removed keys of expired tokens and unknown users. */
  readonly removed: number;
}

/** `resolve` as the core calls it: returns JSON text, also for an exception. */
export function answering(
  resolve: NonNullable<MigrateConfig['resolve']>,
): (value: string) => Promise<string> {
  return async (value) => {
    try {
      const user: unknown = await resolve(value);
      if (user === undefined || user === null) return JSON.stringify({ user: null });
      if (typeof user === 'string' || Number.isSafeInteger(user)) return JSON.stringify({ user: String(user) });
      return JSON.stringify({ failed: 'migrate.resolve returned neither a string nor a whole number' });
    } catch (thrown) {
      return JSON.stringify({ failed: thrown instanceof Error ? thrown.message : 'migrate.resolve failed' });
    }
  };
}
