/** The platform, as far as it decides which addon fits. */
import { familySync, versionSync } from 'detect-libc';

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
