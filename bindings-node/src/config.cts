/** The configuration of `createAuth` and `createVerifier`, and its translation for the core. */
import { types } from 'node:util';
import { LogListener, TestClock, unknownOptionProblem } from '../native.cjs';
import { describe, isPlain, isSubject } from './arguments.cjs';
import { Catalog, loadCatalog, type Messages } from './catalog.cjs';
import type { CustomStore } from './custom-store.cjs';
import type { Language } from './error-codes.cjs';
import { isLogLevel, logLevels, parseLogEntry, warnOnce, type AuditEvent, type LogEntry, type LogLevel } from './monitoring.cjs';
import type { AuthOptions, IssuerConfig, MigrateOptions, VerifierOptions } from './options.cjs';
import type { SubjectId } from './session.cjs';

/** The configuration of `createAuth`. Unknown options are rejected. */
export interface AuthConfig extends Omit<AuthOptions, 'store'> {
  /**
   * Where sessions are stored: an address, see {@link AuthOptions}, or a database of the app, made by `custom`. Default:
   * a file in the working directory.
   */
  store?: string | CustomStore | undefined;
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
  /**
   * The lowest level that `onLog` is called with; default `'warn'`. Without `onLog` only `'error'` has an effect: warnings are
   * then not shown.
   */
  logLevel?: LogLevel | undefined;
  /** Replaces the system clock, for tests. */
  clock?: TestClock | undefined;
}

/** Fetches a key set: the part of the Fetch API that is used. */
export type FetchKeySet = (url: string, init: RequestInit) => Promise<Response>;

/** An issuer without its name. */
export type ResolvedIssuer = Omit<IssuerConfig, 'issuer'>;

/**
 * Finds the issuer that an unverified token names, such as in the app's list of tenants; `undefined` or `null` if its tokens
 * are not accepted. Anybody can write any `iss` into a token: look it up, and do not make a URL of it.
 */
export type ResolveIssuer = (
  issuer: string,
) => ResolvedIssuer | undefined | null | Promise<ResolvedIssuer | undefined | null>;

/** The configuration of `createVerifier`. Unknown options are rejected. */
export interface VerifierConfig extends Omit<VerifierOptions, 'issuers'> {
  /**
   * The issuers whose tokens are accepted, or a function that finds them by their names: for tenants with keys of their
   * own. What it returns is used for 10 minutes, a refusal for 1 minute; the latest 1,000 to 2,000 issuers are remembered. If it
   * throws, or takes longer than 10 seconds, a new
   * issuer's token is rejected with `ERR_KEYS_UNAVAILABLE` (retry), and one that was found before stays trusted.
   */
  issuers: readonly IssuerConfig[] | ResolveIssuer;
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

/** A legacy app whose refresh tokens are HS256 JWTs that a Redis maps to their users. */
export interface MigrateConfig extends MigrateOptions {
  /**
   * Finds the user by the value in that Redis, such as an e-mail address; called once per token.
   * `undefined` or `null` means that the user no longer exists. By default the value is the user's id.
   *
   * If it throws, or takes longer than 10 seconds, the client gets `ERR_STORE_UNAVAILABLE` and nobody is signed out.
   */
  resolve?: ((value: string) => MaybeUser | Promise<MaybeUser>) | undefined;
}

/** A user, or none. */
export type MaybeUser = SubjectId | undefined | null;

/** The options that `createAuth` and `createVerifier` share and that are not data for the core. */
type SharedConfig = Pick<VerifierConfig, 'language' | 'messages' | 'onLog' | 'logLevel' | 'clock'>;

/**
 * The shared options, checked, and the other options of `config` in `core`.
 *
 * @param names - The names of those others, and of the options that the caller took out of `config`.
 */
export function sharedOptions<T extends SharedConfig>(config: T, names: readonly string[]): {
  catalog: Catalog;
  clock: TestClock | undefined;
  log: LogListener;
  core: Omit<T, keyof SharedConfig>;
} {
  const { language, messages, onLog, logLevel = 'warn', clock, ...core } = config;
  const catalog = loadCatalog(language, messages);
  const known = [...names, 'language', 'messages', 'onLog', 'logLevel', 'clock'];
  for (const name of Object.keys(core)) {
    if (!known.includes(name)) throw catalog.configInvalid(name, unknownOptionProblem(name, known));
  }
  if (clock !== undefined && !(clock instanceof TestClock)) {
    throw catalog.configInvalid('clock', 'must be a TestClock');
  }
  if (onLog !== undefined && typeof onLog !== 'function') {
    throw catalog.configInvalid('onLog', 'must be a function');
  }
  if (!isLogLevel(logLevel)) {
    throw catalog.configInvalid('logLevel', `must be one of ${logLevels.join(', ')}`);
  }
  const listener = onLog ?? warnOnce;
  const log = new LogListener((entry) => listener(parseLogEntry(entry)), onLog || logLevel === 'error' ? logLevel : 'warn', !onLog);
  return { catalog, clock, log, core };
}

/**
 * The argument of `createAuth` and `createVerifier`. None at all is one without options, so that the error names what
 * is missing.
 *
 * @throws AuthError `ERR_CONFIG_INVALID` for what is no plain object.
 */
export function plainConfig<T extends object>(config: T): T {
  const given: T = config ?? {};
  if (isPlain(given)) return given;
  throw new Catalog().configInvalid('config', 'must be a plain object');
}

/** The option `migrate`: its data, and `resolve` as the core calls it. */
export function resolverOf(migrate: MigrateConfig | undefined, catalog: Catalog) {
  if (migrate === undefined) return undefined;
  if (!isPlain(migrate)) throw catalog.configInvalid('migrate', 'must be a plain object');
  const { resolve, ...options } = migrate;
  if (resolve !== undefined && typeof resolve !== 'function') {
    throw catalog.configInvalid('migrate.resolve', 'must be a function');
  }
  return { options, resolve: resolve && toJsonResolver(resolve) };
}

/** `resolve` as the core calls it: returns JSON text, also for an exception. */
function toJsonResolver(
  resolve: NonNullable<MigrateConfig['resolve']>,
): (value: string) => Promise<string> {
  return async (value) => {
    try {
      const user: unknown = await resolve(value);
      if (user === undefined || user === null) return JSON.stringify({ user: null });
      if (isSubject.accepts(user)) return JSON.stringify({ user: String(user) });
      return JSON.stringify({ failed: `migrate.resolve has not returned ${isSubject.expected}` });
    } catch (thrown) {
      return JSON.stringify({ failed: thrown instanceof Error ? thrown.message : 'migrate.resolve failed' });
    }
  };
}

/**
 * The configuration as JSON text; bytes become `{ base64 }`.
 *
 * @throws AuthError `ERR_CONFIG_INVALID` for a value that JSON or UTF-8 cannot hold: it would be
 * dropped or changed without a word.
 */
export function encodeConfig(config: object, catalog: Catalog): string {
  return JSON.stringify(encode(config, '', catalog, 0));
}

/** Deeper than any configuration. */
const MAX_DEPTH = 16;

function encode(value: unknown, path: string, catalog: Catalog, depth: number): unknown {
  if (depth > MAX_DEPTH) throw catalog.configInvalid(path, 'is nested too deeply');
  if (types.isUint8Array(value)) {
    // A view of no bytes may be one whose buffer was transferred.
    const bytes = value.byteLength === 0 ? '' : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return { base64: bytes && bytes.toString('base64') };
  }
  if (Array.isArray(value)) {
    return value.map((item, place) => encode(item, `${path}[${place}]`, catalog, depth + 1));
  }
  if (typeof value === 'string' && !value.isWellFormed()) throw catalog.configInvalid(path, 'cannot have lone surrogates');
  if (isPlain(value)) {
    if (!Object.keys(value).every((name) => name.isWellFormed())) {
      throw catalog.configInvalid(path || 'config', 'cannot have names with lone surrogates');
    }
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return Object.fromEntries(
      fields.map(([name, field]) => [name, encode(field, path ? `${path}.${name}` : name, catalog, depth + 1)]),
    );
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) {
    return value;
  }
  throw catalog.configInvalid(path || 'config', `cannot be ${describe(value)}`);
}
