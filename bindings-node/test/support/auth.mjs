// An auth object on the memory store with a clock that the test controls.
import { TestClock, createAuth } from 'regrant';

export const SECRET = 'a secret of the tests, long enough for HS256';

/** The start time of the test clock: 2026-01-01T00:00:00Z, a whole second. */
export const START = Date.UTC(2026, 0, 1);

/** @param {import('regrant').AuthConfig} config */
export function testAuth(config = {}) {
  const clock = new TestClock(START);
  return { clock, auth: createAuth({ secret: SECRET, store: 'memory:', clock, ...config }) };
}

/** Matches an AuthError with this code, for `assert.throws` and `assert.rejects`. */
export const withCode = (code) => ({ name: 'AuthError', code });

/** The claims of a token, not verified. */
export function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
}
