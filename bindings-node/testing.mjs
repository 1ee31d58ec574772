// The same objects as `require('regrant/testing')` gives.
export { testStore } from './dist/testing/index.cjs';
