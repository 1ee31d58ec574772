export default {
  mode: 'production',
  target: 'node20',
  entry: './server.mjs',
  output: { path: `${import.meta.dirname}/out/webpack`, filename: 'server.cjs' },
  externalsType: 'commonjs',
  externals: [/^regrant(\/|$)/],
};
