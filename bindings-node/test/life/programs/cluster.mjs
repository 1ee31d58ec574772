// Several processes of one app with one port and one session file. Sends its port and the pid of every
// exited worker to the parent, and exits on any message.
import cluster from 'node:cluster';
import express from 'express5';
import { createAuth } from 'regrant';
import { authenticate, logoutHandler, refreshHandler } from 'regrant/express';

const WORKERS = 3;
const [secret, store] = process.argv.slice(2);

if (cluster.isPrimary) {
  for (let count = 0; count < WORKERS; count += 1) cluster.fork();
  const listening = new Set();
  cluster.on('listening', (worker, { port }) => {
    listening.add(worker.id);
    if (listening.size === WORKERS) process.send({ port });
  });
  cluster.on('exit', (worker) => process.connected && process.send({ gone: worker.process.pid }));
  process.on('message', () => cluster.disconnect(() => process.disconnect()));
} else {
  const auth = createAuth({ secret, store, web: { refreshCookie: false } });
  const app = express();
  app.use(express.json());
  app.use((req, res, next) => next(res.set({ connection: 'close', 'x-process': String(process.pid) }) && undefined));
  app.post('/login', async (req, res) => res.json(await auth.login(req.body.user)));
  app.post('/refresh', refreshHandler(auth));
  app.post('/logout', logoutHandler(auth));
  app.get('/me', authenticate(auth), (req, res) => res.json(req.auth.subject));
  app.listen(0, '127.0.0.1');
}
