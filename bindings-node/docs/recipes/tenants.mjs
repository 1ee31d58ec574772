import express from 'express';
import { authenticate, loginResponse, refreshHandler } from 'regrant/express';

const tenantOf = (req) => req.hostname.split('.')[0];

/** Lets a request pass whose access token belongs to the tenant of the host. */
const ofTenant = (req, res, next) => {
  const [tenant, user] = req.auth.subject.split('/');
  if (tenant !== tenantOf(req)) return res.status(403).json({ error: { code: 'OTHER_TENANT' } });
  Object.assign(req, { tenant, user });
  next();
};

export function tenantsApp(auth) {
  const app = express();
  // The tenant is part of the subject, so `sessions` and `logoutEverywhere` never reach into another tenant.
  app.post('/login', async (req, res) => loginResponse(auth, res, await auth.login(`${tenantOf(req)}/42`)));
  app.post('/auth/refresh', refreshHandler(auth));
  app.get('/me', authenticate(auth), ofTenant, (req, res) => res.json({ tenant: req.tenant, user: req.user }));
  return app;
}
