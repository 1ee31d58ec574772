/** From a configuration to an auth object. */
import { LogListener, NativeAuth, TestClock } from '../native.cjs';
import { Auth } from './auth.cjs';
import { loadCatalog } from './catalog.cjs';
import type { AuthConfig } from './config.cjs';
import { encodeConfig } from './encode-config.cjs';
import { parseEvent } from './events.cjs';
import { isLogLevel, logLevels, parseLogEntry, warnOnce } from './log.cjs';
import { answering } from './migrate.cjs';

/**
 * Checks the configuration and makes an auth object. Does no I/O: a store that cannot be reached
 * shows at the first call that needs it.
 *
 * ```ts
 * const auth = createAuth({ secret: process.env.SECRET_KEY, store: process.env.REDIS_URL });
 * ```
 *
 * @throws {@link AuthError} `ERR_CONFIG_INVALID`; its message and `field` name the field.
 */
export function createAuth(config: AuthConfig): Auth {
  const { language, messages, onEvent, onLog, logLevel = 'warn', clock, migrate, ...rest } = config ?? {};
  const catalog = loadCatalog(language, messages);
  if (clock !== undefined && !(clock instanceof TestClock)) {
    throw catalog.configInvalid('clock', 'must be a TestClock');
  }
  if (onEvent !== undefined && typeof onEvent !== 'function') {
    throw catalog.configInvalid('onEvent', 'must be a function');
  }
  if (onLog !== undefined && typeof onLog !== 'function') {
    throw catalog.configInvalid('onLog', 'must be a function');
  }
  if (!isLogLevel(logLevel)) {
    throw catalog.configInvalid('logLevel', `must be one of ${logLevels.join(', ')}`);
  }
  if (migrate !== undefined && (typeof migrate !== 'object' || migrate === null)) {
    throw catalog.configInvalid('migrate', 'must be an object');
  }
  const { resolve, ...old } = migrate ?? {};
  if (resolve !== undefined && typeof resolve !== 'function') {
    throw catalog.configInvalid('migrate.resolve', 'must be a function');
  }
  const core = migrate === undefined ? rest : { ...rest, migrate: old };
  const forwardEvent = onEvent && ((text: string): void => onEvent(parseEvent(text)));
  const listener = onLog ?? warnOnce;
  const log = new LogListener((text) => listener(parseLogEntry(text)), onLog ? logLevel : 'warn', !onLog);
  const native = NativeAuth.create(encodeConfig(core, catalog), clock, log, forwardEvent, resolve && answering(resolve));
  if (native instanceof NativeAuth) return new Auth(native, catalog);
  throw catalog.errorOf(native);
}
