import express from 'express';
import { authenticate, loginResponse, refreshHandler } from 'regrant/express';

/** Lets a request pass whose access token has one of these roles. */
export const requireRole = (...allowed) => (req, res, next) => {
  if (req.auth.claims.roles?.some((role) => allowed.includes(role))) return next();
  res.status(403).json({ error: { code: 'FORBIDDEN' } });
};

export function rolesApp(auth, rolesOf) {
  // Looked up at login and at every refresh: a changed role is in force after `access.ttl` at the latest.
  const claims = async (id) => ({ roles: await rolesOf(id) });
  const app = express();
  app.post('/login', async (req, res) => loginResponse(auth, res, await auth.login('user-1', { claims: await claims('user-1') })));
  app.post('/auth/refresh', refreshHandler(auth, { claims }));
  app.get('/reports', authenticate(auth), requireRole('admin', 'auditor'), (req, res) => res.json([]));
  return app;
}
