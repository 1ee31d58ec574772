export * from './dist/fastify/index.cjs';
