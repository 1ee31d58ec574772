import express from 'express';
import { authenticate, loginResponse, logoutHandler, refreshHandler, sessionsHandler } from 'regrant/express';

export function expressApp(auth) {
  const app = express();
  app.post('/login', async (req, res) => loginResponse(auth, res, await auth.login('user-1')));
  app.post('/auth/refresh', refreshHandler(auth));
  app.post('/auth/logout', logoutHandler(auth));
  app.all('/auth/sessions{/:sessionId}', authenticate(auth), sessionsHandler(auth));
  app.get('/me', authenticate(auth, { loadUser: (id) => ({ id }) }), (req, res) => res.json(res.locals.user));
  return app;
}
