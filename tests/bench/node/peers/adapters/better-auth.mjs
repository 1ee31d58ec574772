// better-auth has sessions and no refresh tokens. What comes nearest are its session cookie and its cookie cache, a signed
// copy of the session for five minutes: when the copy has expired, `get-session` reads the session and signs another.
import { betterAuth } from 'better-auth';
import { fromNodeHeaders, toNodeHandler } from 'better-auth/node';
import express from 'express';
import { SECRET, connectRedis } from '../http.mjs';

export const name = 'better-auth';
export const packages = ['better-auth', 'ioredis', 'express'];
export const setting =
  '`secondaryStorage` in Redis, `cookieCache` of 5 min, users in its memory adapter, rate limit off for the load; Express';

const ORIGIN = 'http://127.0.0.1';
const PASSWORD = 'correct horse';

export function listener(address) {
  const redis = connectRedis(address);
  const auth = betterAuth({
    baseURL: ORIGIN,
    secret: SECRET,
    secondaryStorage: {
      get: (key) => redis.get(key),
      set: (key, value, ttl) => (ttl ? redis.set(key, value, 'EX', ttl) : redis.set(key, value)),
      delete: (key) => redis.del(key),
    },
    session: { cookieCache: { enabled: true, maxAge: 5 * 60, refreshCache: false } },
    // Logins are not measured: no slow hash.
    emailAndPassword: { enabled: true, password: { hash: async (password) => password, verify: async () => true } },
    rateLimit: { enabled: false },
    logger: { level: 'error' },
    telemetry: { enabled: false },
  });
  const app = express().disable('etag');
  app.all('/api/auth/*path', toNodeHandler(auth));
  app.get('/me', async (req, res) => {
    const session = await auth.api.getSession({ headers: fromNodeHeaders(req.headers) });
    res.status(session ? 200 : 401).json({ user: session?.user.name });
  });
  return app;
}

const cookieOf = (cookies) => Object.entries(cookies).map((entry) => entry.join('=')).join('; ');

/** The session cookie is the refresh token; with the copy of the session it is the access token. */
function tokensOf(cookies, previous) {
  const token = Object.keys(cookies).find((name) => name.endsWith('session_token'));
  const refresh = token ? cookieOf({ [token]: cookies[token] }) : previous.refresh;
  const copy = Object.fromEntries(Object.entries(cookies).filter(([name]) => name !== token));
  return { refresh, access: `${refresh}; ${cookieOf(copy)}` };
}

export const client = {
  async login(send, user) {
    const json = { email: `${user}@example.com`, password: PASSWORD, name: user };
    return tokensOf((await send('POST', '/api/auth/sign-up/email', { headers: { origin: ORIGIN }, json })).cookies);
  },
  async refresh(send, tokens) {
    const headers = { cookie: tokens.refresh };
    const { status, body, cookies } = await send('GET', '/api/auth/get-session', { headers });
    if (status === 200 && body !== null) return { tokens: tokensOf(cookies, tokens) };
    return { retry: status >= 500 };
  },
  logout: (send, { access }) =>
    send('POST', '/api/auth/sign-out', { headers: { origin: ORIGIN, cookie: access }, json: {} }),
  user: async (send, { access }) => (await send('GET', '/me', { headers: { cookie: access } })).body?.user,
};
