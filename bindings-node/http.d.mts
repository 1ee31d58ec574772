export * from './dist/http/index.cjs';
