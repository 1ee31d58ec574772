/** The configuration of `createVerifier`: the options that are data, and those that are not. */
import type { TestClock } from '../native.cjs';
import type { Language } from './error-codes.cjs';
import type { LogEntry, LogLevel } from './log.cjs';
import type { VerifierOptions } from './options.cjs';
import type { Messages } from './catalog.cjs';

export type { IssuerConfig, KeySetsConfig, ProofConfig } from './options.cjs';

/** Fetches a key set: the part of the Fetch API that is used. */
export type FetchKeySet = (url: string, init: RequestInit) => Promise<Response>;

/** The configuration of `createVerifier`. Unknown options are rejected. */
export interface VerifierConfig extends VerifierOptions {
  /** Fetches key sets in place of the global `fetch`, for proxies and tests. */
  fetch?: FetchKeySet | undefined;
  /** The language of error messages; default `'en'`. */
  language?: Language | undefined;
  /** The app's own error messages, by code. They take precedence over those of `language`. */
  messages?: Messages | undefined;
  /** Called with the log entries of the core. Without it, warnings become process warnings, each once. */
  onLog?: ((entry: LogEntry) => void) | undefined;
  /** The lowest level that `onLog` is called with; default `'warn'`. */
  logLevel?: LogLevel | undefined;
  /** Replaces the system clock, for tests. */
  clock?: TestClock | undefined;
}
