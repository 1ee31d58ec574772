/** Loads the native addon for a platform, or explains why there is none. */
import { advise, type Attempt, type Why } from './advice.cjs';
import { describe, namesOf, type Platform } from './platform.cjs';

/** The outcome of requiring an addon. */
export type Required = { readonly addon: unknown; readonly version?: string } | { readonly error: unknown };

/** Where an addon may be. Both `require` it and never throw. */
export interface Places {
  /** In this package, where its own build leaves it. */
  local(): Required;
  /** In the package for the platform, an optional dependency. */
  installed(): Required;
}

/** No addon could be loaded. */
export class AddonError extends Error {
  /** Always `ERR_ADDON_UNAVAILABLE`. */
  readonly code = 'ERR_ADDON_UNAVAILABLE';

  constructor(message: string, cause: unknown) {
    super(message, { cause });
  }

  static {
    Object.defineProperty(AddonError.prototype, 'name', { value: 'AddonError', configurable: true });
  }
}

/**
 * Loads the addon for `platform`: the one built here, else the one of the package for the platform.
 *
 * @param places - By the name of the addon, as `namesOf` returns it.
 * @param version - The version of this package. An addon of another version is not used.
 * @throws {@link AddonError} with the platform, what was tried, and what to do.
 */
export function loadAddon(platform: Platform, places: Readonly<Record<string, Places>>, version: string): unknown {
  const attempts: Attempt[] = [];
  let cause: unknown;
  for (const name of namesOf(platform)) {
    const place = places[name];
    if (place === undefined) continue;
    for (const [what, required] of [
      [`regrant.${name}.node`, () => place.local()],
      [`regrant-${name}`, () => place.installed()],
    ] as const) {
      const outcome = required();
      const refused = refusal(what, outcome, version);
      if (refused === undefined) return (outcome as { addon: unknown }).addon;
      attempts.push(refused);
      // An addon that failed to load tells more than a missing one.
      if ('error' in outcome && (cause === undefined || refused.why === 'broken')) cause = outcome.error;
    }
  }
  throw new AddonError(messageOf(platform, Object.keys(places), attempts), cause);
}

function refusal(what: string, outcome: Required, expected: string): Attempt | undefined {
  if ('error' in outcome) {
    const { code, message = String(outcome.error) } = outcome.error as { code?: unknown; message?: string };
    const why: Why = code === 'MODULE_NOT_FOUND' && message.includes(`${what}'`) ? 'absent' : 'broken';
    // The rest of Node's message is the require stack.
    return { what, why, reason: why === 'absent' ? 'is not there' : (message.split('\n', 1)[0] ?? '') };
  }
  if (outcome.version === undefined || outcome.version === expected) return undefined;
  return { what, why: 'version', reason: `is version ${outcome.version}, and regrant is ${expected}` };
}

function messageOf(platform: Platform, offered: readonly string[], attempts: readonly Attempt[]): string {
  const tried = attempts.map(({ what, reason }) => `\n  ${what}: ${reason}`).join('');
  return `regrant has no native addon for this platform (${describe(platform)}).`
    + (tried === '' ? '' : `\nTried:${tried}`)
    + `\n${advise(platform, offered, attempts)}`;
}
