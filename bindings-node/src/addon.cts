/** Loads the native addon for a platform, or explains why there is none. */
import { familySync, versionSync } from 'detect-libc';

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

/** Why a location was skipped: nothing there, not loadable, of another version. */
export type Why = 'absent' | 'broken' | 'version';

/** A location without a usable addon. */
export interface Attempt {
  readonly what: string;
  readonly why: Why;
  /** For the message, after the name. */
  readonly reason: string;
}

/** @param offered - The names of all addons that are built. */
export function advise(platform: Platform, offered: readonly string[], attempts: readonly Attempt[]): string {
  if (attempts.length === 0) {
    return `There are addons for ${offered.join(', ')}. For others it can be built from source, which needs Rust: `
      + 'see docs/platforms.md of the package.';
  }
  if (attempts.some(({ why }) => why === 'version')) {
    return 'regrant and its platform package must be of one version: remove node_modules and install again; if that '
      + 'does not help, remove the lock file too.';
  }
  if (attempts.some(({ why }) => why === 'broken')) {
    return `It is there and cannot be loaded: it is damaged, or was built for another system than ${describe(platform)}, for `
      + 'example with a newer C library. Install again on this very system; an image of another system needs an '
      + 'installation of its own.';
  }
  return `npm installs ${namesOf(platform).map((name) => `regrant-${name}`).join(' or ')} as an optional dependency of regrant. Install `
    + 'again on this very system, with optional dependencies (without --omit=optional or --no-optional): node_modules '
    + 'made on another system has the addon of that one, and a lock file made there may name no other; then remove both.';
}

/** What decides which addon fits. */
export interface Platform {
  /** As `process.platform`. */
  readonly os: string;
  /** As `process.arch`. */
  readonly arch: string;
  /** The C library on Linux; `null` where it is unknown, `undefined` on other systems. */
  readonly libc?: 'glibc' | 'musl' | null;
  /** Its version, where it is known. */
  readonly libcVersion?: string | undefined;
}

/** The platform that this process runs on. */
export function currentPlatform(): Platform {
  const { platform: os, arch } = process;
  if (os !== 'linux') return { os, arch };
  const family = familySync();
  const libc = family === 'glibc' || family === 'musl' ? family : null;
  return {
    os,
    arch,
    libc,
    // Only an error message needs it, and finding it may start a process.
    get libcVersion() {
      return versionSync() ?? undefined;
    },
  };
}

/**
 * The names of the addons that may fit this platform, the likeliest first, as @napi-rs/cli forms
 * them: `linux-x64-gnu`, `darwin-arm64`, `win32-x64-msvc`.
 */
export function namesOf({ os, arch, libc }: Platform): string[] {
  switch (os) {
    case 'linux': {
      const [gnu, musl] = [`linux-${arch}-gnu`, `linux-${arch}-musl`];
      // Where the C library is unknown, the wrong one of the two does not load.
      return libc === 'glibc' ? [gnu] : libc === 'musl' ? [musl] : [gnu, musl];
    }
    case 'win32':
      return [`win32-${arch}-msvc`];
    default:
      return [`${os}-${arch}`];
  }
}

/** The platform in words: `linux, x64, glibc 2.36`. */
export function describe({ os, arch, libc, libcVersion }: Platform): string {
  if (libc === undefined) return `${os}, ${arch}`;
  const version = libcVersion === undefined ? '' : ` ${libcVersion}`;
  return `${os}, ${arch}, ${libc === null ? 'an unknown C library' : `${libc}${version}`}`;
}
