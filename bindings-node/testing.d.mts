export * from './dist/testing/index.cjs';
