// Bundles the client for those who do not use CommonJS: dist/client.mjs, and for a script tag dist/client.iife.js, minified, whose
// global is `regrant`.
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** `regrant.createClient` in a page without modules. */
const outputs = [
  { file: path('../../dist/client.mjs'), format: 'esm' },
  { file: path('../../dist/client.iife.js'), format: 'iife', name: 'regrant', minify: true },
];

for (const output of outputs) {
  await build({
    input: path('index.cts'),
    platform: 'browser',
    resolve: { extensionAlias: { '.cjs': ['.cts'] } },
    output,
    logLevel: 'warn',
  });
}
