/** From a configuration to a verifier. */
import { LogListener, NativeIssuers, TestClock } from '../native.cjs';
import { configInvalid, encodeConfig } from './encode-config.cjs';
import { fetching } from './fetch-key-set.cjs';
import type { VerifierConfig } from './issuers-config.cjs';
import { isLogLevel, logLevels, parseLogEntry, warnOnce } from './log.cjs';
import { textsOf } from './texts-of.cjs';
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
  const texts = textsOf(language, messages);
  if (clock !== undefined && !(clock instanceof TestClock)) {
    throw configInvalid(texts, 'clock', 'must be a TestClock');
  }
  if (onLog !== undefined && typeof onLog !== 'function') {
    throw configInvalid(texts, 'onLog', 'must be a function');
  }
  if (given !== undefined && typeof given !== 'function') {
    throw configInvalid(texts, 'fetch', 'must be a function');
  }
  if (!isLogLevel(logLevel)) {
    throw configInvalid(texts, 'logLevel', `must be one of ${logLevels.join(', ')}`);
  }
  const hear = onLog ?? warnOnce;
  const log = new LogListener((text) => hear(parseLogEntry(text)), onLog ? logLevel : 'warn', !onLog);
  // Looked up with every call, so that a test may replace the global one.
  const fetchKeySet = given ?? ((url, init) => fetch(url, init));
  const native = NativeIssuers.create(encodeConfig(core, texts), clock, log, fetching(fetchKeySet));
  if (native instanceof NativeIssuers) return new Verifier(native, texts);
  throw texts.errorOf(native);
}
