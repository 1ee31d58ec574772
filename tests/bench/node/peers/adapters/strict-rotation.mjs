// Strict rotation as apps write it by hand: the hash of an opaque token is a key in Redis, and GETDEL makes sure that it
// works once. A used token is like one that never existed.
import { createHash, randomBytes } from 'node:crypto';
import express from 'express';
import jwt from 'jsonwebtoken';
import { SECRET, connectRedis, jsonClient } from '../http.mjs';
import { authenticate } from './jwt-middleware.mjs';

export const name = 'strict rotation';
export const packages = ['ioredis', 'jsonwebtoken', 'express'];
export const setting = 'written by hand: GETDEL on ioredis, access tokens of jsonwebtoken; Express, Redis';

const DAYS_14 = 14 * 24 * 3600;

export function listener(address) {
  const redis = connectRedis(address);
  const keyOf = (token) => `refresh:${createHash('sha256').update(String(token)).digest('hex')}`;

  async function issue(user) {
    const refreshToken = randomBytes(32).toString('base64url');
    await redis.set(keyOf(refreshToken), user, 'EX', DAYS_14);
    return { accessToken: jwt.sign({ sub: user }, SECRET, { expiresIn: '15m' }), refreshToken };
  }

  const app = express().disable('etag').use(express.json());
  app.post('/login', async (req, res) => res.json(await issue(req.body.user)));
  app.post('/refresh', async (req, res) => {
    const user = await redis.getdel(keyOf(req.body.refreshToken));
    if (user === null) return res.status(401).json({ error: 'invalid refresh token' });
    res.json(await issue(user));
  });
  app.post('/logout', async (req, res) => {
    await redis.del(keyOf(req.body.refreshToken));
    res.status(204).end();
  });
  app.get('/me', authenticate, (req, res) => res.json({ user: req.user }));
  return app;
}

export const client = jsonClient;
