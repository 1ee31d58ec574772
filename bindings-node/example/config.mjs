// The settings, read from the environment at the start. Everything has a default, so that
// `npm start` works without set-up; a real app would refuse to start without SECRET_KEY.

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Reads the configuration from the environment.
 *
 * Lifetimes are whole seconds. The defaults are far shorter than an app would choose
 * (15 minutes, 14 days, 10 seconds), so that a visitor sees a token expire; `UNUSED_GRACE` is that of an app.
 */
export function configFromEnv(env = process.env) {
  const production = env.NODE_ENV === 'production';
  if (production && !env.SECRET_KEY) throw new Error('SECRET_KEY must be set when NODE_ENV is production');
  const inDataDir = (name) => join(env.DATA_DIR, name);
  if (env.DATA_DIR) mkdirSync(env.DATA_DIR, { recursive: true, mode: 0o700 });
  return {
    host: env.HOST ?? '127.0.0.1',
    port: wholeNumber(env, 'PORT', 3000, 0),

    secret: env.SECRET_KEY ?? (env.DATA_DIR ? keptSecret(inDataDir('secret')) : newSecret()),
    secretIsRandom: !env.SECRET_KEY && !env.DATA_DIR,

    accessTtl: wholeNumber(env, 'ACCESS_TTL', 30),
    refreshIdleTtl: wholeNumber(env, 'REFRESH_IDLE_TTL', 30 * 60),
    refreshAbsoluteTtl: wholeNumber(env, 'REFRESH_ABSOLUTE_TTL', 24 * 60 * 60),
    grace: wholeNumber(env, 'GRACE', 2),
    unusedGrace: wholeNumber(env, 'UNUSED_GRACE', 60),

    // The stores of sessions ('memory:', 'file:…', 'redis://…' or 'postgres://…') and of users: files in
    // DATA_DIR, which survive a restart, or memory.
    store: env.REDIS_URL ?? env.POSTGRES_URL ?? (env.DATA_DIR ? `file:${inDataDir('sessions.db')}` : 'memory:'),
    database: env.DATA_DIR ? inDataDir('users.db') : ':memory:',

    // The origins by which clients reach this server: DPoP proofs are checked against them.
    origins: env.ORIGINS?.split(',') ?? ownOrigins(wholeNumber(env, 'PORT', 3000, 0)),

    // Browsers drop `Secure` cookies that arrive over plain HTTP (except, mostly, from localhost).
    secureCookies: production,
    // Attempts per address in five minutes, for login and sign-up together.
    loginLimit: wholeNumber(env, 'LOGIN_LIMIT', 30),
    // The routes that give the refresh token to the page's thief (routes/demo.mjs).
    demoRoutes: !production,
    // The number of reverse proxies, so that the rate limit sees the client's address.
    trustProxy: wholeNumber(env, 'TRUST_PROXY', 0, 0),

    log: true,
  };
}

function ownOrigins(port) {
  return ['localhost', '127.0.0.1'].map((host) => `http://${host}:${port}`);
}

function newSecret() {
  return randomBytes(32).toString('base64url');
}

/** The secret in a file, generated at the first start. A real app gets it from a secret manager. */
function keptSecret(file) {
  try {
    writeFileSync(file, newSecret(), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  return readFileSync(file, 'utf8');
}

function wholeNumber(env, name, fallback, least = 1) {
  if (env[name] === undefined || env[name] === '') return fallback;
  const value = Number(env[name]);
  if (!Number.isInteger(value) || value < least) {
    throw new Error(`${name} must be a whole number of at least ${least}`);
  }
  return value;
}
