// Creates a project that runs on a platform, which need not be this one, from packed tarballs:
//
//   node new-project.mjs FOLDER PLATFORM TARBALL…
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillProject, linkInstalled, packDependencies } from './support.mjs';

const [folder, platform, ...tarballs] = process.argv.slice(2);
const [os, cpu, abi] = platform.split('-');
const libc = os === 'linux' ? [`--libc=${abi === 'musl' ? 'musl' : 'glibc'}`] : [];
const packed = await mkdtemp(join(tmpdir(), 'regrant-dependencies-'));
try {
  const dependencies = await packDependencies(packed);
  // npm follows `--os` for what it chooses itself; what the command line names is of this system, or forced.
  const platformOptions = ['--force', `--os=${os}`, `--cpu=${cpu}`, ...libc];
  await fillProject(folder, 'commonjs', [...tarballs, ...dependencies], platformOptions);
} finally {
  await rm(packed, { recursive: true });
}
await linkInstalled(folder, { express: 'express5' });
await copyFile(new URL('projects/story.cjs', import.meta.url), join(folder, 'story.cjs'));
