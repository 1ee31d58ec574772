// The README under strict, with the declaration of docs/recipes/express-auth.d.ts: `req.auth` without a cast.
import express from 'express';
import { createAuth } from 'regrant';
import { authenticate, loginResponse, logoutHandler, refreshHandler, sessionsHandler } from 'regrant/express';

declare function checkPassword(body: unknown): Promise<{ id: string }>;
declare const users: { find(id: string): Promise<{ name: string }> };

const auth = createAuth({
  secret: process.env['SECRET_KEY'],
  store: process.env['REDIS_URL'] ?? 'file:sessions.db',
  onEvent: (event) => console.log(event.type, event.sessionId),
});

const app = express();
app.use(express.json());

app.post('/auth/login', async (req, res) => {
  const user = await checkPassword(req.body);
  const device = req.get('user-agent');
  loginResponse(auth, res, await auth.login(user.id, { device }));
});
app.post('/auth/refresh', refreshHandler(auth));
app.post('/auth/logout', logoutHandler(auth));

app.get('/me', authenticate(auth, { loadUser: (id) => users.find(id) }), (req, res) => {
  res.json({ user: res.locals['user'], session: req.auth.sessionId });
});
app.get('/sessions', authenticate(auth), sessionsHandler(auth));
app.delete('/sessions{/:sessionId}', authenticate(auth), sessionsHandler(auth));

app.get('/role', authenticate<{ role: string }>(auth), (req, res) => {
  // @ts-expect-error the claims are the registered ones and unknown others: `authOf` names the app's own
  const role: string = req.auth.claims['role'];
  res.json(role);
});
