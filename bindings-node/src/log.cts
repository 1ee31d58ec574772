/** What the core logs. */

/** The levels, the gravest first. */
export const logLevels: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** How grave an entry is. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** An entry of the log. None contains a token or a secret. */
export interface LogEntry {
  /** `error`: an operator must act; `warn`: something is wrong, and the core copes. */
  readonly level: LogLevel;
  /** `regrant::store`, or `regrant::audit` for what `onEvent` is told too. */
  readonly target: string;
  /** What happened, in fixed words. */
  readonly message: string;
  /** The particulars. Those of `regrant::audit` name a user. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export function isLogLevel(level: unknown): level is LogLevel {
  return logLevels.some((known) => known === level);
}

/** The entry that the core wrote as JSON. */
export function parseLogEntry(text: string): LogEntry {
  return JSON.parse(text) as LogEntry;
}

const warned = new Set<string>();

/**
 * Makes an entry a warning of the process, each message once: for apps without `onLog`. What is
 * for the audit log is left to `onEvent`.
 */
export function warnOnce({ target, message, fields }: LogEntry): void {
  if (target === 'regrant::audit' || warned.has(message)) return;
  warned.add(message);
  const particulars = Object.entries(fields)
    // The next one would be about another session.
    .filter(([name]) => name !== 'session')
    .map(([name, value]) => `${name}: ${String(value)}`);
  process.emitWarning([message, ...particulars].join('; '), { type: 'RegrantWarning' });
}
