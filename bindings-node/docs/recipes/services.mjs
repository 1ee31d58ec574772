import express from 'express';
import { createAuth, createVerifier } from 'regrant';
import { authenticate, jwksHandler, loginResponse, refreshHandler } from 'regrant/express';

/** The issuing service: it has the private key and the sessions. */
export function issuingService({ issuer, privateKey, refreshSecret, store }) {
  const auth = createAuth({
    keys: [{ alg: 'ES256', kid: '2026-01', privateKey, active: true }],
    refreshSecret,
    access: { issuer, audience: ['orders', 'bills'], ttl: '10m' },
    store,
  });
  const app = express();
  app.post('/login', async (req, res) => loginResponse(auth, res, await auth.login('user-1', { claims: { role: 'buyer' } })));
  app.post('/auth/refresh', refreshHandler(auth, { claims: () => ({ role: 'buyer' }) }));
  app.get('/.well-known/jwks.json', jwksHandler(auth));
  return app;
}

/** A verifying service: no secret, no sessions, no store. */
export function service({ name, issuer, jwksUri }) {
  const verifier = createVerifier({ issuers: [{ issuer, audience: name, jwksUri }] });
  verifier.ready().catch(() => {}); // fetches the keys now; the first request would, too
  const app = express();
  app.get('/', authenticate(verifier), (req, res) => res.json({ service: name, role: req.auth.claims.role }));
  return app;
}
