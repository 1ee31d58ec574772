// Bundles the client for those who do not use CommonJS: dist/client.mjs, and minified for script tags dist/client.iife.js, whose global
// is `regrant`, and dist/client-stored.iife.js, which adds to it what only pages without a refresh cookie need.
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

const script = { format: 'iife', name: 'regrant', extend: true, generatedCode: { symbols: false }, minify: true };
/** What is bundled, of which all or only some exports, and how it is written. */
const bundles = [
  { entry: 'index', output: { file: 'client.mjs', format: 'esm' } },
  { entry: 'index', exports: '{ createClient, SessionError }', output: { file: 'client.iife.js', ...script } },
  { entry: 'stored', output: { file: 'client-stored.iife.js', ...script } },
];

for (const { entry, exports = '*', output } of bundles) {
  await build({
    input: 'entry',
    plugins: [virtual(`export ${exports} from ${JSON.stringify(path(`${entry}.cts`))}`)],
    treeshake: { moduleSideEffects: false },
    platform: 'browser',
    resolve: { extensionAlias: { '.cjs': ['.cts'] } },
    output: { ...output, file: path(`../../dist/${output.file}`) },
    logLevel: 'warn',
  });
}

/** A module that is no file. */
function virtual(code) {
  return { name: 'entry', resolveId: (id) => (id === 'entry' ? id : null), load: (id) => (id === 'entry' ? code : null) };
}
