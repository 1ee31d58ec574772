/** Lists and revokes a user's sessions. */
import type { Auth } from '../auth.cjs';
import type { VerifiedAccess } from '../claims.cjs';
import { answer, type HttpAnswer } from './answer.cjs';

/** A request about the sessions of a user. */
export interface SessionsRequest {
  /** `GET`, `HEAD` or `DELETE`. */
  readonly method?: string | undefined;
  /** The session to revoke, or `others`; all without it. */
  readonly sessionId?: string | undefined;
}

/** @throws AuthError as the methods of `auth`. */
export async function listOrEnd(auth: Auth, access: VerifiedAccess, request: SessionsRequest): Promise<HttpAnswer> {
  const { subject, sessionId: current } = access;
  const { method, sessionId: one } = request;
  if (method === 'GET' || method === 'HEAD') {
    return answer(200, { sessions: await auth.sessions(subject, { current }) });
  }
  if (method !== 'DELETE') {
    const { headers, ...refused } = answer(405);
    return { ...refused, headers: { ...headers, Allow: 'GET, HEAD, DELETE' } };
  }
  if (one === 'others') {
    // An access token of a legacy app does not name its session.
    if (current === undefined) throw auth.error('ERR_CLAIM_MISSING', { detail: 'sid' });
    return answer(200, { ended: await auth.logoutEverywhere(subject, { exceptSession: current }) });
  }
  if (one !== undefined) return answer(200, { ended: Number(await auth.revokeSession(subject, one)) });
  return answer(200, { ended: await auth.logoutEverywhere(subject) });
}
