import express from 'express';
import { authenticate, loginResponse, logoutHandler, refreshHandler } from 'regrant/express';

/** Login, refresh and logout need the same options. */
const transport = {
  cookie: '__Secure-refresh', // HttpOnly, Secure, SameSite=Strict, Path=/auth
  accessCookie: '__Host-access', // HttpOnly, Secure, SameSite=Lax, Path=/
  allowedOrigins: ['https://app.example'], // front ends beside this server's own pages
};

export function cookieApp(auth) {
  const app = express();
  app.post('/login', async (req, res) => loginResponse(res, await auth.login('user-1'), transport));
  app.post('/auth/refresh', refreshHandler(auth, transport));
  app.post('/auth/logout', logoutHandler(auth, transport));

  const { accessCookie: cookie, allowedOrigins } = transport;
  app.use(authenticate(auth, { cookie, allowedOrigins }));
  app.get('/notes', (req, res) => res.json([`a note of ${req.auth.subject}`]));
  app.post('/notes', (req, res) => res.status(201).json({}));
  return app;
}
