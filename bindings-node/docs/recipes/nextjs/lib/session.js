import { headers } from 'next/headers';
import { cache } from 'react';
import { authenticate } from 'regrant/http';
import { auth } from './auth.js';

/** The session behind the request that is being rendered, or `null`. Verifies the access token and nothing else. */
export const session = cache(async () => {
  const request = { method: 'GET', url: '/', headers: await headers() };
  const decision = await authenticate(auth(), request);
  return decision.ok ? decision.auth : null;
});
