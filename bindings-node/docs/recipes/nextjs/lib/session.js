import { headers } from 'next/headers';
import { cache } from 'react';
import { authenticate, refresh } from 'regrant/http';
import { auth } from './auth.js';

/** The session behind the request that is being rendered, or `null`. At most one refresh per request. */
export const session = cache(async () => {
  // The header, because `cookies()` has only one of several cookies of one name, and perhaps not the right one.
  const cookie = (await headers()).get('cookie') ?? '';
  const request = { url: '/', headers: { cookie } };
  const decision = await authenticate(auth(), { ...request, method: 'GET' });
  if (decision.ok) return decision.auth;
  // A server component cannot set cookies: a rotated refresh token would be lost with this response.
  const { status, body } = await refresh(auth(), { ...request, method: 'POST' }, { rotate: false });
  if (status === 200) return auth().verifyAccess(body.accessToken);
  if (['sign_in', 'reject'].includes(body.error.advice)) return null;
  throw body.error; // such as an unreachable store: an error page, and not the login page
});
