import express from 'express';
import { createAuth } from 'regrant';
import { authenticate, loginResponse, logoutHandler, refreshHandler } from 'regrant/express';

export function cookieApp(config) {
  const auth = createAuth({
    ...config, // secret, store
    web: {
      refreshCookie: '__Secure-refresh', // HttpOnly, Secure, SameSite=Strict, Path=/auth
      accessCookie: '__Host-access', // HttpOnly, Secure, SameSite=Lax, Path=/
      allowedOrigins: ['https://app.example'], // front ends beside this server's own pages
    },
  });

  const app = express();
  app.post('/login', async (req, res) => loginResponse(auth, res, await auth.login('user-1')));
  app.post('/auth/refresh', refreshHandler(auth));
  app.post('/auth/logout', logoutHandler(auth));

  app.use(authenticate(auth));
  app.get('/notes', (req, res) => res.json([`a note of ${req.auth.subject}`]));
  app.post('/notes', (req, res) => res.status(201).json({}));
  return app;
}
