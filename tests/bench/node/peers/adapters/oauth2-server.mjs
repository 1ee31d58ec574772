// @node-oauth/oauth2-server on Express, with the model that it asks an app to write, in Redis. By default it revokes the
// presented refresh token and issues another. It knows neither reuse nor a grace period.
import OAuth2Server from '@node-oauth/oauth2-server';
import express from 'express';
import { bearer, connectRedis, oauthClient } from '../http.mjs';

export const name = 'oauth2-server';
export const packages = ['@node-oauth/oauth2-server', 'ioredis', 'express'];
export const setting =
  '`alwaysIssueNewRefreshToken` (the default), neither reuse detection nor a grace period; opaque access tokens; Express, Redis';

const CLIENT = { id: 'page', grants: ['password', 'refresh_token'] };
const { Request, Response } = OAuth2Server;

export function listener(address) {
  const redis = connectRedis(address);
  const server = new OAuth2Server({
    model: modelIn(redis),
    accessTokenLifetime: 900,
    requireClientAuthentication: { password: false, refresh_token: false },
  });

  const app = express().disable('etag').use(express.urlencoded({ extended: false }));
  app.post('/token', async (req, res) => {
    const response = new Response(res);
    try {
      await server.token(new Request(req), response);
    } catch (error) {
      return res.status(error.code).json({ error: error.name });
    }
    res.set(response.headers).json(response.body);
  });
  // The package has no endpoint for this.
  app.post('/logout', async (req, res) => {
    await redis.del(accessKey(req.body.access_token), refreshKey(req.body.refresh_token));
    res.status(204).end();
  });
  app.get('/me', async (req, res) => {
    try {
      const { user } = await server.authenticate(new Request(req), new Response(res));
      res.json({ user: user.id });
    } catch (error) {
      res.status(error.code).json({ error: error.name });
    }
  });
  return app;
}

const accessKey = (token) => `oauth:access:${token}`;
const refreshKey = (token) => `oauth:refresh:${token}`;

function modelIn(redis) {
  /** A stored token with its times as dates, which the package requires. */
  async function read(key) {
    const text = await redis.get(key);
    return text && JSON.parse(text, (name, value) => (name.endsWith('ExpiresAt') ? new Date(value) : value));
  }
  const secondsUntil = (time) => Math.ceil((time - Date.now()) / 1000);
  return {
    getClient: (id) => id === CLIENT.id && CLIENT,
    getUser: (username) => ({ id: username }),
    getAccessToken: (token) => read(accessKey(token)),
    getRefreshToken: (token) => read(refreshKey(token)),
    async saveToken(token, { id }, user) {
      const saved = { ...token, client: { id }, user };
      const text = JSON.stringify(saved);
      await redis
        .multi()
        .set(accessKey(token.accessToken), text, 'EX', secondsUntil(token.accessTokenExpiresAt))
        .set(refreshKey(token.refreshToken), text, 'EX', secondsUntil(token.refreshTokenExpiresAt))
        .exec();
      return saved;
    },
    revokeToken: async ({ refreshToken }) => (await redis.del(refreshKey(refreshToken))) === 1,
  };
}

export const client = {
  ...oauthClient({ path: '/token', fields: { client_id: CLIENT.id, password: 'x' } }),
  logout: (send, { access, refresh }) => send('POST', '/logout', { form: { access_token: access, refresh_token: refresh } }),
  user: async (send, { access }) => (await send('GET', '/me', { headers: bearer(access) })).body?.user,
};
