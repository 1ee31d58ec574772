// How the refresh token travels: in a cookie that no script can read and that is sent to /auth alone,
// so that it never accompanies an ordinary request.

/** Where the refresh cookie is sent. Everything that reads it is mounted below. */
export const REFRESH_PATH = '/auth';

/** The options shared by log-in, refresh and log-out; they must agree or the cookie would be set twice. */
export function cookieOptions(config) {
  return { cookie: true, path: REFRESH_PATH, secure: config.secureCookies };
}
