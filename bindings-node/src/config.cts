/** The configuration of `createAuth`: the options that are data, and those that are not. */
import type { TestClock } from '../native.cjs';
import type { AuditEvent } from './events.cjs';
import type { Language } from './error-codes.cjs';
import type { LogEntry, LogLevel } from './log.cjs';
import type { MigrateConfig } from './migrate.cjs';
import type { AuthOptions } from './options.cjs';
import type { Messages } from './catalog.cjs';

export type * from './options.cjs';

/** The configuration of `createAuth`. Unknown options are rejected. */
export interface AuthConfig extends AuthOptions {
  /** A legacy app whose refresh tokens are migrated. */
  migrate?: MigrateConfig | undefined;
  /** The language of error messages; default `'en'`. */
  language?: Language | undefined;
  /** The app's own error messages, by code. They take precedence over those of `language`. */
  messages?: Messages | undefined;
  /**
   * Called with each audit event, after the call that caused it. It does not keep the process alive.
   * An exception that it throws is uncaught.
   */
  onEvent?: ((event: AuditEvent) => void) | undefined;
  /**
   * Called with the log entries of the core, such as a failing store or an unreadable revocation feed.
   * The log belongs to the process: entries of other auth objects and worker threads are included.
   * Without any `onLog`, warnings and errors become process warnings (`process.emitWarning`), each
   * message once. No entry contains a token or a secret. It does not keep the process alive. An
   * exception that it throws is uncaught.
   */
  onLog?: ((entry: LogEntry) => void) | undefined;
  /** The lowest level that `onLog` is called with; default `'warn'`. */
  logLevel?: LogLevel | undefined;
  /** Replaces the system clock, for tests. */
  clock?: TestClock | undefined;
}
