/** "Where am I logged in?", and the way out of each. */
import type { RequestHandler } from 'express';
import type { Auth } from '../auth.cjs';
import { listOrEnd } from '../http/sessions.cjs';
import { authOf } from './request-auth.cjs';
import { handler, type ErrorOptions } from './respond.cjs';

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
  return handler(async (req) => {
    const one: unknown = req.params['sessionId'];
    return listOrEnd(auth, authOf(req), { method: req.method, sessionId: typeof one === 'string' ? one : undefined });
  }, options);
}
