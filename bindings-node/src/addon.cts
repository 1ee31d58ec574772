/** Loads the native addon for a platform, or explains why there is none. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

/** What the loader reads of the package's own `package.json`. */
export interface Manifest {
  readonly version: string;
  /** A release lists its platform packages here; a checkout, and a tarball packed from one, lists none. */
  readonly optionalDependencies?: Readonly<Record<string, string>> | undefined;
}

/**
 * Loads the addon for `platform`: the one in this package, else the one of the package for the platform.
 *
 * @param places - By the name of the addon, as `namesOf` returns it.
 * @param manifest - Of this package. An addon of another version is not used.
 * @param folder - The folder of this package, `undefined` in a bundle. It is searched only to explain a failure.
 * @throws {@link AddonError} with the platform, what was tried, and what to do.
 */
export function loadAddon(
  platform: Platform,
  places: Readonly<Record<string, Places>>,
  manifest: Manifest,
  folder: string | undefined,
): unknown {
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
      const refused = refusal(what, outcome, manifest.version);
      if (refused === undefined) return (outcome as { addon: unknown }).addon;
      attempts.push(refused);
      // An addon that failed to load tells more than a missing one.
      if ('error' in outcome && (cause === undefined || refused.why === 'broken')) cause = outcome.error;
    }
  }
  const offered = Object.keys(places);
  const tried = attempts.map(({ what, reason }) => `\n  ${what}: ${reason}`).join('');
  throw new AddonError(
    `regrant cannot load its native addon on this platform (${describe(platform)}).`
      + (tried === '' ? '' : `\nTried:${tried}`)
      + `\n${advise(platform, attempts, { offered, manifest, ...searchDisk(folder, namesOf(platform), offered) })}`,
    cause,
  );
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

/** Why a location was skipped: nothing there, not loadable, of another version. */
export type Why = 'absent' | 'broken' | 'version';

/** A location without a usable addon. */
export interface Attempt {
  readonly what: string;
  readonly why: Why;
  /** For the message, after the name. */
  readonly reason: string;
}

/** What an advice is derived from, beside the attempts. */
export interface Surroundings extends OnDisk {
  /** The names of all addons that are built. */
  readonly offered: readonly string[];
  readonly manifest: Manifest;
}

/** What to do so that an addon can be loaded. */
export function advise(platform: Platform, attempts: readonly Attempt[], around: Surroundings): string {
  const { offered, manifest, foreign, lockFile, isFromTarball } = around;
  const packages = namesOf(platform).map((name) => `regrant-${name}`).join(' or ');
  if (attempts.length === 0) {
    const other = ['ia32', 'arm', 'mips', 'mipsel', 'ppc'].includes(platform.arch)
      ? 'This Node.js is a 32-bit one; if the machine is not, install the 64-bit Node.js. '
      : '';
    return `There are addons for ${offered.join(', ')}. ${other}For another platform the addon can be built from source, which `
      + 'needs Rust: see docs/platforms.md of the package.';
  }
  if (attempts.some(({ why }) => why === 'version')) {
    return 'regrant and its platform package must be of one version: remove node_modules and install again; if that '
      + 'does not help, remove the lock file too.';
  }
  const broken = attempts.find(({ why }) => why === 'broken');
  if (broken !== undefined) return adviseBroken(platform, broken.reason);
  if (manifest.optionalDependencies === undefined) {
    const has = foreign.length === 0 ? 'has no addon' : `has the addon of ${foreign.join(', ')} only`;
    return `This regrant is a checkout, or was packed from one, and ${has}. On this platform, in bindings-node of the checkout: `
      + '`npm ci && npm run build` (needs Rust), and for a tarball then `npm pack`.';
  }
  if (foreign.length > 0) {
    return `Here is the addon of ${foreign.join(', ')}: node_modules was installed on another system, for another C library, or `
      + 'by a Node.js of another architecture. Remove node_modules and install again with this Node.js, on this system; an '
      + 'image runs `npm ci` itself.';
  }
  if (lockFile === 'incomplete' && isFromTarball === true) {
    return `package-lock.json does not list ${packages}: regrant was installed from a tarball, and the addon is in a tarball of its `
      + `own. Install both: \`npm install regrant-${manifest.version}.tgz regrant-${namesOf(platform)[0]}-${manifest.version}.tgz\`.`;
  }
  if (lockFile === 'incomplete') {
    return `package-lock.json does not list ${packages}, because it was written on another system (npm issue 4828). Remove `
      + 'package-lock.json and node_modules, and install again.';
  }
  return `npm installs ${packages} as an optional dependency of regrant, and left it out: install again without --omit=optional, `
    + '--no-optional and the setting `omit=optional`'
    + (lockFile === 'complete' ? '.' : '. If that does not help, remove node_modules and the lock file, which may be of another system.');
}

/** An addon is there, and the system does not load it. `reason` is Node's message, whose wording is the system's. */
function adviseBroken(platform: Platform, reason: string): string {
  if (/version `GLIBC_/.test(reason)) {
    return 'This system has an older C library than the addon was built for: use a newer system or image, or build the addon '
      + 'from source on this one (docs/platforms.md of the package).';
  }
  if (/libc\.so|libc\.musl|ld-musl|ld-linux|Error relocating/.test(reason)) {
    return 'The addon is for the other C library of Linux (glibc or musl). Remove node_modules and install again on this '
      + 'system; an image runs `npm ci` itself.';
  }
  if (/loading addons is disabled/.test(reason)) {
    return 'Node.js was started so that it loads no addons: remove --no-addons, or with --permission add --allow-addons.';
  }
  if (/Permission denied|Operation not permitted|failed to map segment/i.test(reason)) {
    return 'The system does not let this process load it: check the permissions of the file, and that its folder is not '
      + 'mounted `noexec`.';
  }
  return `It is damaged, or was built for another architecture than ${describe(platform)}. Remove node_modules and install again `
    + 'with this Node.js, on this system.';
}

/** What was found on disk after no addon could be loaded. */
export interface OnDisk {
  /** The names of the addons of other platforms. */
  readonly foreign: readonly string[];
  /** Whether npm's lock file lists a package for this platform; `undefined` where there is none. */
  readonly lockFile?: 'complete' | 'incomplete' | undefined;
  /** Whether it says that regrant was installed from a tarball, and not from a registry. */
  readonly isFromTarball?: boolean;
}

/** Looks for addons of other platforms in this package and wherever Node.js looks for packages, and for npm's lock file. */
function searchDisk(folder: string | undefined, wanted: readonly string[], offered: readonly string[]): OnDisk {
  if (folder === undefined) return { foreign: [] };
  const above = [dirname(folder)];
  for (let parent; (parent = dirname(above[0]!)) !== above[0]; ) above.unshift(parent);
  const isThere = (name: string): boolean => existsSync(join(folder, `regrant.${name}.node`))
    || above.some((place) => existsSync(join(place, 'node_modules', `regrant-${name}`)));
  const foreign = offered.filter((name) => !wanted.includes(name) && isThere(name));
  // That of the project, the innermost folder with one.
  for (const place of above.reverse()) {
    try {
      const { packages = {} } = JSON.parse(readFileSync(join(place, 'package-lock.json'), 'utf8')) as {
        packages?: Record<string, { resolved?: string }>;
      };
      const listed = Object.keys(packages);
      const isComplete = wanted.some((name) => listed.some((path) => path.endsWith(`node_modules/regrant-${name}`)));
      const isFromTarball = packages['node_modules/regrant']?.resolved?.startsWith('file:') === true;
      return { foreign, lockFile: isComplete ? 'complete' : 'incomplete', isFromTarball };
    } catch {
      // No lock file here, or not one of npm.
    }
  }
  return { foreign };
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
 * them: `linux-x64-gnu`, `darwin-arm64`, `win32-x64-gnu`.
 */
export function namesOf({ os, arch, libc }: Platform): string[] {
  switch (os) {
    case 'linux': {
      const [gnu, musl] = [`linux-${arch}-gnu`, `linux-${arch}-musl`];
      // Where the C library is unknown, the wrong one of the two does not load.
      return libc === 'glibc' ? [gnu] : libc === 'musl' ? [musl] : [gnu, musl];
    }
    case 'win32':
      return [`win32-${arch}-gnu`];
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
