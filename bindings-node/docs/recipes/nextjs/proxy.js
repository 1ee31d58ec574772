import { NextResponse } from 'next/server';
import { authenticate, refresh, toResponse } from 'regrant/http';
import { auth } from './lib/auth.js';

// Pages only. The client refreshes for its own requests to /api, and /auth has the refresh endpoint.
export const config = { matcher: '/((?!api/|auth/|_next/|favicon.ico).*)' };

/** Refreshes before a page is rendered, because a page cannot set the cookies of a new pair. */
export async function proxy(request) {
  const decision = await authenticate(auth(), { method: 'GET', url: '/', headers: request.headers });
  if (decision.ok) return NextResponse.next();
  // The header, because `request.cookies` has only one of several cookies of one name, and perhaps not the right one.
  const cookie = request.headers.get('cookie') ?? '';
  const answer = await refresh(auth(), { method: 'POST', url: '/', headers: { cookie } });
  const { status, body, cookies } = answer;
  // Such as an unreachable store: an error, and not the login page.
  if (status !== 200 && !['sign_in', 'reject'].includes(body.error.advice)) return toResponse(answer);
  // The page reads the new access token from its request, and the browser stores both tokens.
  const forwarded = new Headers(request.headers);
  if (status === 200) forwarded.set('authorization', `Bearer ${body.accessToken}`);
  const response = NextResponse.next({ request: { headers: forwarded } });
  for (const value of cookies) response.headers.append('set-cookie', value);
  return response;
}
