/** Chooses the addon for a platform, or says why there is none. */
import { advise, type Attempt, type Why } from './advice.cjs';
import { describe, namesOf, type Platform } from './platform.cjs';

/** What a `require` of an addon came to. */
export type Required = { readonly addon: unknown; readonly version?: string } | { readonly error: unknown };

/** Where an addon may be: both `require` it anew and never throw. */
export interface Places {
  /** Next to this package: as its own build leaves it. */
  local(): Required;
  /** In the platform's package, which npm installs as an optional dependency. */
  installed(): Required;
}

/** That no addon could be loaded. */
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
 * The addon for `platform`: the one built here, else the one of the platform's package.
 *
 * @param places - By name of the addon, as `namesOf` forms it.
 * @param version - Of this package. An addon of another version is not used.
 * @throws {@link AddonError} It names the platform, what was tried, and what to do.
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
      // What was there and did not load says more than what was not there.
      if ('error' in outcome && (cause === undefined || refused.why === 'broken')) cause = outcome.error;
    }
  }
  throw new AddonError(messageOf(platform, Object.keys(places), attempts), cause);
}

function refusal(what: string, outcome: Required, expected: string): Attempt | undefined {
  if ('error' in outcome) {
    const { code, message = String(outcome.error) } = outcome.error as { code?: unknown; message?: string };
    const why: Why = code === 'MODULE_NOT_FOUND' && message.includes(`${what}'`) ? 'absent' : 'broken';
    // The rest of a message of Node.js is the stack of `require`s.
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
