/** The log of the core. */

/** The levels, the most severe first. */
export const logLevels: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** The severity of an entry. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** A log entry. It never contains a token or a secret. */
export interface LogEntry {
  /** `error`: an operator must act; `warn`: something failed, and the core recovers. */
  readonly level: LogLevel;
  /** Such as `regrant::store`; `regrant::audit` for what `onEvent` receives too. */
  readonly target: string;
  /** The message, always the same text for the same event. */
  readonly message: string;
  /** The fields. Those of `regrant::audit` name a user. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export function isLogLevel(level: unknown): level is LogLevel {
  return logLevels.some((known) => known === level);
}

/** Parses an entry that the core wrote as JSON. */
export function parseLogEntry(text: string): LogEntry {
  return JSON.parse(text) as LogEntry;
}

const warned = new Set<string>();

/**
 * Emits an entry as a process warning, each message once, for apps without `onLog`. Audit entries are
 * left to `onEvent`.
 */
export function warnOnce({ target, message, fields }: LogEntry): void {
  if (target === 'regrant::audit' || warned.has(message)) return;
  warned.add(message);
  const details = Object.entries(fields)
    // Only the first session would be named.
    .filter(([name]) => name !== 'session')
    .map(([name, value]) => `${name}: ${String(value)}`);
  process.emitWarning([message, ...details].join('; '), { type: 'RegrantWarning' });
}
