// What the compiler says about the Fastify half.
import fastify, { type FastifyRequest } from 'fastify';
import { createAuth } from 'regrant';
import { authOf, authRoutes, authenticate, jwksHandler, loginReply, type AuthedRequest } from 'regrant/fastify';

const auth = createAuth({ secret: 'x' });
const app = fastify();

interface AppClaims {
  role: 'admin' | 'reader';
}

const onRequest = authenticate<AppClaims>(auth, {
  loadUser: (subject, claims, request) => ({ subject, role: claims.role, ip: request.ip }),
  onError: (error, _request, reply) => reply.code(error.status).send(error),
});
app.get('/me', { onRequest }, async (request) => ({ role: authOf<AppClaims>(request).claims.role }));
app.get('/cast', { preHandler: onRequest }, async (request) => named(request as AuthedRequest<AppClaims, { subject: string }>));
app.post('/login', async (_request, reply) => loginReply(auth, reply.code(201), await auth.login('user-1')));
await app.register(authRoutes, { auth, prefix: '/auth', claims: () => ({}) });

function named(request: AuthedRequest<AppClaims, { subject: string }>): string {
  return `${request.auth.claims.role} ${request.user.subject}`;
}

// Nothing global is changed: an ordinary request has no `auth`.
export function ordinary(request: FastifyRequest): unknown {
  // @ts-expect-error use AuthedRequest or authOf
  return request.auth;
}
// @ts-expect-error an auth object is required
await app.register(authRoutes, { prefix: '/auth' });

const overHttp2 = fastify({ http2: true });
overHttp2.get('/me', { onRequest: authenticate(auth) }, async (request) => authOf(request).subject);
overHttp2.get('/keys', jwksHandler(auth));
overHttp2.post('/login', async (_request, reply) => loginReply(auth, reply, await auth.login('user-1')));
