// What can be set from outside, read once at the start. Everything has a default, so that
// `npm start` works with no set-up; a real app would refuse to start without SECRET_KEY.

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Reads the configuration from the environment.
 *
 * Lifetimes are whole seconds. The defaults are far shorter than an app would choose
 * (15 minutes, 14 days, 10 seconds), so that a visitor sees a token expire and be renewed.
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

    // Where sessions live ('memory:', 'file:…' or 'redis://…') and where the user table lives:
    // in files that outlive a restart if there is a folder for them.
    store: env.REDIS_URL ?? (env.DATA_DIR ? `file:${inDataDir('sessions.db')}` : 'memory:'),
    database: env.DATA_DIR ? inDataDir('users.db') : ':memory:',

    // By which addresses clients reach this server: what proofs of their keys (DPoP) are held against.
    origins: env.ORIGINS?.split(',') ?? ownOrigins(wholeNumber(env, 'PORT', 3000, 0)),

    // Browsers drop `Secure` cookies that arrive over plain HTTP (except, mostly, from localhost).
    secureCookies: production,
    // Attempts per address and five minutes, for log-in and sign-up together.
    loginLimit: wholeNumber(env, 'LOGIN_LIMIT', 30),
    // The routes that hand the refresh token to the page's thief (routes/demo.mjs).
    demoRoutes: !production,
    // Behind a reverse proxy: how many of them, so that the rate limit sees the client's address.
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

/** The secret in a file, made at the first start: a real app has it from its secret manager. */
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
