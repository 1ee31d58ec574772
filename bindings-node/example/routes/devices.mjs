// The user's devices: each is one session. The user comes from the access token, so nobody can list or revoke
// the sessions of others.

import { Router } from 'express';
import { authenticate, sessionsHandler } from 'regrant/express';

export function deviceRoutes({ auth }) {
  const routes = Router();
  const sessions = [authenticate(auth), sessionsHandler(auth)];

  routes.get('/devices', sessions); // the list
  routes.delete('/devices/:sessionId', sessions); // log out one; '/devices/others': all but this one
  routes.delete('/devices', sessions); // log out everywhere

  return routes;
}
