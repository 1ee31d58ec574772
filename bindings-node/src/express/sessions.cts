/** "Where am I logged in?", and the way out of each. */
import type { Request, RequestHandler, Response } from 'express';
import type { Auth } from '../auth.cjs';
import { authOf } from './request-auth.cjs';
import { failureOf, noStore, type ErrorOptions } from './respond.cjs';

/**
 * The sessions of the user who asks; mount it behind {@link authenticate}:
 *
 * - `GET /sessions`: `{ sessions: [{ sessionId, device, createdAt, lastRefreshedAt, expiresAt,
 *   current, state, reason?, endedAt? }] }`, instants in ISO 8601.
 * - `DELETE /sessions/:sessionId`: ends that one. `{ ended: 0 | 1 }`.
 * - `DELETE /sessions/others`: ends all but the one that asks. `{ ended: number }`.
 * - `DELETE /sessions`: ends all. `{ ended: number }`.
 *
 * The user is the access token's, so nobody can see or end another's sessions.
 */
export function sessionsHandler(auth: Auth, options: ErrorOptions = {}): RequestHandler {
  return (req, res, next) => {
    answer(auth, req, res).catch(failureOf(options, req, res, next));
  };
}

async function answer(auth: Auth, req: Request, res: Response): Promise<void> {
  const { subject, sessionId: current } = authOf(req);
  const one: unknown = req.params['sessionId'];
  noStore(res);
  if (req.method === 'GET' || req.method === 'HEAD') {
    res.json({ sessions: await auth.sessions(subject, { current }) });
  } else if (req.method !== 'DELETE') {
    res.set('Allow', 'GET, HEAD, DELETE').status(405).end();
  } else if (one === 'others') {
    // An access token of the app that was here before does not say which session is not to end.
    if (current === undefined) throw auth.error('ERR_CLAIM_MISSING', { detail: 'sid' });
    res.json({ ended: await auth.logoutEverywhere(subject, { exceptSession: current }) });
  } else if (typeof one === 'string') {
    res.json({ ended: Number(await auth.revokeSession(subject, one)) });
  } else {
    res.json({ ended: await auth.logoutEverywhere(subject) });
  }
}
