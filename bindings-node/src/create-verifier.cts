/** From a configuration to a verifier. */
import { LogListener, NativeJwksVerifier, TestClock } from '../native.cjs';
import { loadCatalog } from './catalog.cjs';
import { encodeConfig } from './encode-config.cjs';
import { fetching } from './fetch-key-set.cjs';
import type { VerifierConfig } from './issuers-config.cjs';
import { isLogLevel, logLevels, parseLogEntry, warnOnce } from './log.cjs';
import { Verifier } from './verifier.cjs';

/**
 * Checks the configuration and makes a verifier of the tokens of other services, by the keys that
 * they publish or that are given. Does no I/O: keys are fetched with the first token, or by `ready()`.
 *
 * ```ts
 * const verifier = createVerifier({
 *   issuers: [{
 *     issuer: 'https://auth.example',
 *     audience: 'orders',
 *     jwksUri: 'https://auth.example/.well-known/jwks.json',
 *   }],
 * });
 * app.use(authenticate(verifier));
 * ```
 *
 * @throws {@link AuthError} `ERR_CONFIG_INVALID`; its message and `field` name the field.
 */
export function createVerifier(config: VerifierConfig): Verifier {
  const { language, messages, onLog, logLevel = 'warn', clock, fetch: given, ...core } = config ?? {};
  const catalog = loadCatalog(language, messages);
  if (clock !== undefined && !(clock instanceof TestClock)) {
    throw catalog.configInvalid('clock', 'must be a TestClock');
  }
  if (onLog !== undefined && typeof onLog !== 'function') {
    throw catalog.configInvalid('onLog', 'must be a function');
  }
  if (given !== undefined && typeof given !== 'function') {
    throw catalog.configInvalid('fetch', 'must be a function');
  }
  if (!isLogLevel(logLevel)) {
    throw catalog.configInvalid('logLevel', `must be one of ${logLevels.join(', ')}`);
  }
  const listener = onLog ?? warnOnce;
  const log = new LogListener((text) => listener(parseLogEntry(text)), onLog ? logLevel : 'warn', !onLog);
  // Looked up with every call, so that a test may replace the global one.
  const fetchKeySet = given ?? ((url, init) => fetch(url, init));
  const native = NativeJwksVerifier.create(encodeConfig(core, catalog), clock, log, fetching(fetchKeySet));
  if (native instanceof NativeJwksVerifier) return new Verifier(native, catalog);
  throw catalog.errorOf(native);
}
