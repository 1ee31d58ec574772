// The user's devices: each is one session.

import { Router } from 'express';
import { authenticate, sessionsHandler } from 'regrant/express';

export function deviceRoutes({ auth }) {
  const routes = Router();
  const signedIn = authenticate(auth);

  routes.get('/devices', signedIn, sessionsHandler(auth));

  // The subject comes from the verified token, so nobody can end another user's session.
  routes.delete('/devices/:sessionId', signedIn, async (req, res) => {
    await auth.revokeSession(req.auth.subject, req.params.sessionId);
    res.sendStatus(204);
  });

  routes.delete('/devices', signedIn, async (req, res) => {
    await auth.logoutEverywhere(req.auth.subject);
    res.sendStatus(204);
  });

  return routes;
}
