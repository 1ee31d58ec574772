// Strict rotation with reuse detection (RFC 9700 §4.14.2), by hand: Redis knows the hash of the one valid token of each
// family, and MULTI replaces it. Any other token of the family deletes the family.
import { createHash, randomBytes } from 'node:crypto';
import express from 'express';
import jwt from 'jsonwebtoken';
import { SECRET, connectRedis, jsonClient } from '../http.mjs';
import { authenticate } from './jwt-middleware.mjs';

export const name = 'strict rotation, reuse detection';
export const packages = ['ioredis', 'jsonwebtoken', 'express'];
export const setting = 'written by hand: token families, MULTI on ioredis, access tokens of jsonwebtoken; Express, Redis';

const DAYS_14 = 14 * 24 * 3600;

export function listener(address) {
  const redis = connectRedis(address);
  const hashOf = (secret) => createHash('sha256').update(secret).digest('hex');
  const newSecret = () => randomBytes(32).toString('base64url');
  const keyOf = (family) => `family:${family}`;

  const answer = (user, family, secret) => ({
    accessToken: jwt.sign({ sub: user }, SECRET, { expiresIn: '15m' }),
    refreshToken: `${family}.${secret}`,
  });

  const app = express().disable('etag').use(express.json());
  app.post('/login', async (req, res) => {
    const { user } = req.body;
    const [family, secret] = [newSecret(), newSecret()];
    const key = keyOf(family);
    await redis.multi().hset(key, { user, current: hashOf(secret) }).expire(key, DAYS_14).exec();
    res.json(answer(user, family, secret));
  });
  app.post('/refresh', async (req, res) => {
    const [family, presented = ''] = String(req.body.refreshToken).split('.');
    const secret = newSecret();
    const key = keyOf(family);
    const replies = await redis
      .multi()
      .hmget(key, 'user', 'current')
      .hset(key, { current: hashOf(secret) })
      .expire(key, DAYS_14)
      .exec();
    const [user, current] = replies[0][1];
    if (current === hashOf(presented)) return res.json(answer(user, family, secret));
    await redis.del(key);
    res.status(401).json({ error: 'invalid refresh token' });
  });
  app.post('/logout', async (req, res) => {
    await redis.del(keyOf(String(req.body.refreshToken).split('.')[0]));
    res.status(204).end();
  });
  app.get('/me', authenticate, (req, res) => res.json({ user: req.user }));
  return app;
}

export const client = jsonClient;
