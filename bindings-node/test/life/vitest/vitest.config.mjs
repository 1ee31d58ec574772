export default { root: import.meta.dirname, cacheDir: '../../../node_modules/.vite', test: { include: ['**/*.vitest.mjs'], watch: false, testTimeout: 120_000 } };
