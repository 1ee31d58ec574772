export * from './dist/express/index.cjs';
