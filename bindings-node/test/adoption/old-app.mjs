// A process of the legacy app: Express, npm jsonwebtoken and npm redis, with refresh tokens as keys.
// REDIS_URL is its Redis. Sends its port to the parent.
import express from 'express5';
import jwt from 'jsonwebtoken';
import { createClient } from 'redis';
import { KEEP_ALIVE } from '../support/server.mjs';

const { SECRET_KEY, REDIS_URL } = process.env;
const redis = await createClient({ url: REDIS_URL }).connect();
const app = express();

/** Creates one session per value, each with another `iat`: tokens of the same second would be equal. */
app.post('/fill', express.json({ limit: '10mb' }), async (req, res) => {
  const now = Math.floor(Date.now() / 1000);
  const sessions = req.body.map((value, place) => ({
    value,
    token: jwt.sign({ iat: now - place }, SECRET_KEY, { expiresIn: '14d' }),
  }));
  await Promise.all(sessions.map(({ value, token }) => redis.set(token, value)));
  res.json(sessions);
});

app.get('/api/users/rtVerify', async (req, res, next) => {
  try {
    const [type, token] = (req.headers.refreshtoken ?? '').split(' ');
    if (type !== 'Bearer' || !token) throw new Error('419/refreshToken의 형식이 일치하지 않습니다.');
    if (!(await redis.get(token))) throw new Error('419/refreshToken의 정보가 서버에 존재하지 않습니다.');
    try {
      jwt.verify(token, SECRET_KEY);
    } catch {
      throw new Error('419/refreshToken이 유효하지 않습니다.');
    }
    const accessToken = `Bearer ${jwt.sign({ userId: req.headers.userid }, SECRET_KEY, { expiresIn: '15m' })}`;
    res.cookie('accessToken', accessToken).json({ accessToken });
  } catch (error) {
    next(error);
  }
});

app.post('/logout', async (req, res) => {
  await redis.del(req.headers.refreshtoken.split(' ')[1]);
  res.status(204).end();
});

app.use((err, req, res, _next) => {
  const [status, text] = err.message.split('/');
  res.status(Number(status)).json({ text });
});

const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
server.keepAliveTimeout = KEEP_ALIVE;
