// The same objects as `require('regrant')` gives: there is one class AuthError, however it is imported.
export { AuthError, TestClock, createAuth, createVerifier, custom, errorCodes } from './dist/index.cjs';
