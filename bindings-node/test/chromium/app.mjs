// The app that the tests visit: Express with the handlers and the router of regrant/express.
import express from 'express';
import { TestClock, createAuth } from 'regrant';
import { authRouter, authenticate, loginResponse, logoutHandler, refreshHandler } from 'regrant/express';
import * as http from 'regrant/http';

/** A clock that begins now, because browsers compare `Expires` with their own. */
export const clockFromNow = () => new TestClock(Date.now());

/** Where a session's cookies and access tokens are: the options of `web`, as each handler takes them. */
function handlerOptions({ refreshCookie, accessCookie, ...common }) {
  const { allowedOrigins } = common;
  const cookie = accessCookie === true ? 'accessToken' : accessCookie;
  return {
    endpoint: { ...common, ...(refreshCookie !== undefined && { cookie: refreshCookie }), ...(accessCookie && { accessCookie }) },
    access: { ...(cookie && { cookie }), ...(allowedOrigins && { allowedOrigins }) },
  };
}

/**
 * @param web - `{ refreshCookie, accessCookie, path, secure, domain, allowedOrigins }`.
 * @param mount - Where the endpoints are.
 * @param routes - Adds routes to the app.
 */
export function makeApp({ web = {}, store = 'memory:', clock = clockFromNow(), mount = '/auth', routes } = {}) {
  const auth = createAuth({ secret: 'the secret of the tests in Chromium', store, clock });
  const { endpoint, access } = handlerOptions(web);
  const app = express();
  app.get('/', (req, res) => res.send('<!doctype html><title>app</title>'));
  app.post('/login', async (req, res) => loginResponse(res, await auth.login(req.query.user), endpoint));
  app.post(`${mount}/handlers/refresh`, refreshHandler(auth, endpoint));
  app.post(`${mount}/handlers/logout`, logoutHandler(auth, endpoint));
  app.use(mount, authRouter(auth, { ...endpoint, access }));
  routes?.(app, auth);
  const guard = authenticate(auth, access);
  const notes = [];
  app.get('/api/notes', guard, (req, res) => res.json({ user: req.auth.subject }));
  app.post('/api/notes', guard, (req, res) => {
    notes.push(req.auth.subject);
    res.status(201).json({ user: req.auth.subject });
  });
  /** Decides about a request as the guard does, for WebSockets. */
  const decide = (req) => http.authenticate(auth, req, access);
  return { app, auth, notes, decide };
}

/** How many sessions of the user are alive. */
export async function liveSessions(auth, user) {
  return (await auth.sessions(user)).filter(({ state }) => state === 'live').length;
}
