import { Hono } from 'hono';
import { authenticate, loginAnswer, logout, refresh, sessions, toResponse } from 'regrant/http';

/** Middleware in front of protected routes. */
const authenticated = (auth, options) => async (c, next) => {
  const decision = await authenticate(auth, c.req.raw, options);
  if (!decision.ok) return toResponse(decision.answer);
  c.set('auth', decision.auth);
  c.set('user', decision.user);
  return next();
};

export function honoApp(auth) {
  const app = new Hono();
  app.post('/login', async (c) => toResponse(loginAnswer(auth, c.req.raw, await auth.login('user-1'))));
  app.post('/auth/refresh', async (c) => toResponse(await refresh(auth, c.req.raw)));
  app.post('/auth/logout', async (c) => toResponse(await logout(auth, c.req.raw)));
  app.on(['GET', 'DELETE'], '/auth/sessions/:sessionId?', authenticated(auth), async (c) => {
    const { method } = c.req;
    return toResponse(await sessions(auth, c.get('auth'), { method, sessionId: c.req.param('sessionId') }));
  });
  app.get('/me', authenticated(auth, { loadUser: (id) => ({ id }) }), (c) => c.json(c.get('user')));
  return app;
}
