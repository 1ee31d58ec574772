/** The endpoint that lists and revokes a user's sessions. */
import type { RequestHandler } from 'express';
import type { Auth } from '../auth.cjs';
import { listOrEnd } from '../http/sessions.cjs';
import { authOf } from './request-auth.cjs';
import { handler, type ErrorOptions } from './respond.cjs';

/**
 * Lists and revokes the sessions of the user of the access token; mount it behind {@link authenticate}:
 *
 * - `GET /sessions`: `{ sessions: [{ sessionId, device, createdAt, lastRefreshedAt, expiresAt,
 *   current, state, reason?, endedAt? }] }`, times in ISO 8601.
 * - `DELETE /sessions/:sessionId`: revokes that one. `{ ended: 0 | 1 }`.
 * - `DELETE /sessions/others`: revokes all but the current one. `{ ended: number }`.
 * - `DELETE /sessions`: revokes all. `{ ended: number }`.
 *
 * Nobody can see or revoke the sessions of another user.
 */
export function sessionsHandler(auth: Auth, options: ErrorOptions = {}): RequestHandler {
  return handler(async (req) => {
    const one: unknown = req.params['sessionId'];
    return listOrEnd(auth, authOf(req), { method: req.method, sessionId: typeof one === 'string' ? one : undefined });
  }, options);
}
