export * from './dist/client/index.cjs';
