import { build } from 'esbuild';

await build({
  entryPoints: ['server.mjs'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outfile: 'out/esbuild/server.mjs',
  external: ['regrant'],
});
