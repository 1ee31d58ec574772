import { build } from 'esbuild';

await build({
  entryPoints: ['server.mjs'],
  bundle: true,
  platform: 'node',
  format: 'cjs', // the package is CommonJS, and `require` does not exist in an ES module
  outdir: 'out/esbuild-copy',
  outExtension: { '.js': '.cjs' },
  loader: { '.node': 'copy' },
});
