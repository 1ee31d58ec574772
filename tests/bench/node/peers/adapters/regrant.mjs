// regrant on Express, sessions in Redis, all options as they are without being set. The refresh token travels in JSON
// bodies, as those of most peers do.
import express from 'express';
import { createAuth } from '../../../../../bindings-node/index.mjs';
import { authenticate, loginResponse, logoutHandler, refreshHandler } from '../../../../../bindings-node/express.mjs';
import { SECRET, bearer } from '../http.mjs';

export const name = 'regrant';
export const packages = ['regrant', 'express'];
export const setting = 'defaults: rotation, grace period of 10 s; Express, Redis';

export function listener(redis) {
  const auth = createAuth({ secret: SECRET, store: redis, web: { refreshCookie: false }, onLog: () => {} });
  const app = express().disable('etag').set('trust proxy', true).use(express.json());
  app.post('/login', async (req, res) => loginResponse(auth, res, await auth.login(req.body.user)));
  app.post('/auth/refresh', refreshHandler(auth));
  app.post('/auth/logout', logoutHandler(auth));
  app.get('/me', authenticate(auth), (req, res) => res.json({ user: req.auth.claims.sub }));
  return app;
}

const tokensOf = ({ accessToken, refreshToken }) => ({ access: accessToken, refresh: refreshToken });

export const client = {
  login: async (send, user) => tokensOf((await send('POST', '/login', { json: { user } })).body),
  async refresh(send, { refresh }) {
    const { status, body } = await send('POST', '/auth/refresh', { json: { refreshToken: refresh } });
    if (status === 200) return { tokens: tokensOf(body) };
    return { retry: body.error.advice === 'retry' };
  },
  logout: (send, { refresh }) => send('POST', '/auth/logout', { json: { refreshToken: refresh } }),
  user: async (send, { access }) => (await send('GET', '/me', { headers: bearer(access) })).body?.user,
};
