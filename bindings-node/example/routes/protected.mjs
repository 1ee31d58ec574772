// A protected resource. The middleware verifies the access token in this process, without I/O; `loadUser` is
// optional.

import { Router } from 'express';
import { authenticate } from 'regrant/express';

export function protectedRoutes({ auth, users }) {
  const routes = Router();

  routes.get('/me', authenticate(auth, { loadUser: (id) => users.findById(id) }), (req, res) => {
    const { user } = res.locals;
    res.set('Cache-Control', 'no-store').json({ user, role: req.auth.claims.role, sessionId: req.auth.sessionId });
  });

  return routes;
}
