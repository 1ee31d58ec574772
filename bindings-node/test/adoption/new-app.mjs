// A process of the new app: the rtVerify preset, with migration of legacy refresh tokens.
// REDIS_URL is the Redis that both apps share. Sends its port to the parent.
import express from 'express5';
import { presets } from 'regrant/express';
import { KEEP_ALIVE } from '../support/server.mjs';
import { adoptingAuth } from './adopting-auth.mjs';

const auth = adoptingAuth(process.env);
const old = presets.rtVerify({ language: 'ko' });
const app = express();
app.get('/api/users/rtVerify', old.rtVerify(auth));
app.get('/api/users/me', old.authenticate(auth), (req, res) => res.json({ userId: req.auth.subject }));
app.post('/logout', async (req, res) => {
  await auth.logout(auth.bearerToken(req.headers.refreshtoken));
  res.status(204).end();
});
app.use((err, req, res, _next) => {
  const [status, text] = err.message.split('/');
  res.status(Number(status)).json({ text, code: err.code });
});

const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
server.keepAliveTimeout = KEEP_ALIVE;
