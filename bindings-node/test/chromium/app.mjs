// The app that the tests visit: Express with the handlers and the router of regrant/express.
import express from 'express';
import { TestClock, createAuth } from 'regrant';
import { authRouter, authenticate, loginResponse, logoutHandler, refreshHandler } from 'regrant/express';
import * as http from 'regrant/http';

/** A clock that begins now, because browsers compare `Expires` with their own. */
export const clockFromNow = () => new TestClock(Date.now());

/**
 * An app with a page, a login, the endpoints at `/auth`, and notes.
 *
 * @param web - How tokens travel.
 * @param refresh - The options of refreshes.
 * @param routes - Adds routes to the app.
 */
export function makeApp({ web = {}, refresh = {}, store = 'memory:', clock = clockFromNow(), routes } = {}) {
  const auth = createAuth({ secret: 'the secret of the tests in Chromium', store, clock, web, refresh });
  const app = express();
  app.get('/', (req, res) => res.send('<!doctype html><title>app</title>'));
  app.post('/login', async (req, res) => loginResponse(auth, res, await auth.login(req.query.user)));
  app.post('/auth/handlers/refresh', refreshHandler(auth));
  app.post('/auth/handlers/logout', logoutHandler(auth));
  app.use('/auth', authRouter(auth));
  routes?.(app, auth);
  const notes = [];
  app.get('/api/notes', authenticate(auth), (req, res) => res.json({ user: req.auth.subject }));
  app.post('/api/notes', authenticate(auth), (req, res) => {
    notes.push(req.auth.subject);
    res.status(201).json({ user: req.auth.subject });
  });
  /** Decides about a request as the guard does, for WebSockets. */
  const decide = (req) => http.authenticate(auth, req);
  return { app, auth, notes, decide };
}

/** How many sessions of the user are alive. */
export async function liveSessions(auth, user) {
  return (await auth.sessions(user)).filter(({ state }) => state === 'live').length;
}
