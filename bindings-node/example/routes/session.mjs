// Refresh and logout.

import { Router } from 'express';
import { logoutHandler, refreshHandler } from 'regrant/express';

export function sessionRoutes({ auth, users }) {
  const routes = Router();
  // A role that has changed is in the new access token.
  const claims = (userId, session) => ({ ...session.claims, role: users.findById(userId)?.role });
  routes.post('/refresh', refreshHandler(auth, { claims }));
  routes.post('/logout', logoutHandler(auth));
  return routes;
}
