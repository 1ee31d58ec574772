// Runs the same tests against npm `jsonwebtoken`, which defines the expected behaviour, and against the drop-in.
import { describe, mock } from 'node:test';
import real from 'jsonwebtoken';
import ours from 'regrant/jsonwebtoken';

/** @param {(jwt: typeof import('regrant/jsonwebtoken')) => void} suite */
export function forBoth(suite) {
  describe('jsonwebtoken', () => suite(real));
  describe('regrant/jsonwebtoken', () => suite(ours));
}

/** 2026-01-01T00:00:00Z, in seconds. */
export const NOW = Date.UTC(2026, 0, 1) / 1000;

/** Freezes the JavaScript clock, as Jest, Vitest and Sinon do. */
export function freeze() {
  mock.timers.reset();
  mock.timers.enable({ apis: ['Date', 'setTimeout', 'setInterval', 'setImmediate'], now: NOW * 1000 });
}

/** The claims of a token, not verified. */
export const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());

/** The header of a token. */
export const headerOf = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url').toString());

/** Resolves with the callback arguments of `method`: `[error, value]`. */
export const called = (method, ...args) => new Promise((resolve) => method(...args, (...answer) => resolve(answer)));
