import fastify from 'fastify';
import { authRoutes, authenticate, loginReply } from 'regrant/fastify';

export function fastifyApp(auth) {
  const app = fastify();
  app.post('/login', async (request, reply) => loginReply(auth, reply, await auth.login('user-1')));
  app.register(authRoutes, { auth, prefix: '/auth' });
  app.get('/me', { onRequest: authenticate(auth, { loadUser: (id) => ({ id }) }) }, async (request) => request.user);
  return app;
}
