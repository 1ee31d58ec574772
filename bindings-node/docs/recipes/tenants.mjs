import express from 'express';
import { authenticate, loginResponse, refreshHandler } from 'regrant/express';

const tenantOf = (req) => req.hostname.split('.')[0];

/** Refuses access tokens of other tenants than that of the host. */
const ofTenant = (req, res, next) => {
  const { subject } = req.auth;
  const tenant = tenantOf(req);
  if (!subject.startsWith(`${tenant}/`)) return res.status(403).json({ error: { code: 'OTHER_TENANT' } });
  Object.assign(req, { tenant, user: subject.slice(tenant.length + 1) });
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
