import { cookies } from 'next/headers';
import { cache } from 'react';
import { AuthError } from 'regrant';
import { auth } from './auth.js';

/** The session behind the request that is being rendered, or `null`. At most one refresh per request. */
export const session = cache(async () => {
  const jar = await cookies();
  try {
    return auth().verifyAccess(jar.get('accessToken')?.value);
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
  }
  const refreshToken = jar.get('refreshToken')?.value;
  if (refreshToken === undefined) return null;
  try {
    // A server component cannot set cookies: a rotated refresh token would be lost with this response.
    const { accessToken } = await auth().refresh(refreshToken, { rotate: false });
    return auth().verifyAccess(accessToken);
  } catch (error) {
    if (error instanceof AuthError && ['sign_in', 'reject'].includes(error.advice)) return null;
    throw error; // such as an unreachable store: an error page, and not the login page
  }
});
