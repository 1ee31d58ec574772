// A protected resource. The middleware looks at the access token alone, in this process, with no I/O for the
// token; loading the user's row is the app's own choice.

import { Router } from 'express';
import { authenticate } from 'regrant/express';

export function protectedRoutes({ auth, users }) {
  const routes = Router();

  routes.get('/me', authenticate(auth, { loadUser: (id) => users.findById(id) }), (req, res) => {
    const { user } = res.locals;
    res.set('Cache-Control', 'no-store').json({ user, sessionId: req.auth.sessionId });
  });

  return routes;
}
