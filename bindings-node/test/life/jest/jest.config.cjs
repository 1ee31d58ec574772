module.exports = { rootDir: __dirname, testMatch: ['**/*.jest.cjs'], transform: {}, watchman: false, testTimeout: 120_000 };
