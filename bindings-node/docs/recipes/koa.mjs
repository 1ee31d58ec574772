import Koa from 'koa';
import { authenticate, loginAnswer, logout, refresh } from 'regrant/http';

function send(ctx, { status, headers, cookies, body }) {
  ctx.body = body;
  ctx.status = status;
  ctx.set({ ...headers });
  if (cookies.length) ctx.append('Set-Cookie', [...cookies]);
}

/** Middleware in front of protected routes. */
const authenticated = (auth, options) => async (ctx, next) => {
  const decision = await authenticate(auth, ctx.req, options);
  if (!decision.ok) return send(ctx, decision.answer);
  Object.assign(ctx.state, decision); // ctx.state.auth, ctx.state.user
  return next();
};

export function koaApp(auth) {
  const routes = {
    'POST /login': async (ctx) => send(ctx, loginAnswer(auth, ctx.req, await auth.login('user-1'))),
    'POST /auth/refresh': async (ctx) => send(ctx, await refresh(auth, ctx.req)),
    'POST /auth/logout': async (ctx) => send(ctx, await logout(auth, ctx.req)),
    'GET /me': async (ctx) => {
      await authenticated(auth, { loadUser: (id) => ({ id }) })(ctx, () => (ctx.body = ctx.state.user));
    },
  };
  return new Koa().use((ctx, next) => (routes[`${ctx.method} ${ctx.path}`] ?? next)(ctx));
}
