import commonjs from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';

export default {
  input: 'server.mjs',
  output: { file: 'out/rollup/server.mjs' },
  plugins: [nodeResolve(), commonjs()],
  external: [/^node:/, /^regrant(\/|$)/],
};
