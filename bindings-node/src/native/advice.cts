/** The advice in the error for a missing native addon. */
import { describe, namesOf, type Platform } from './platform.cjs';

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
