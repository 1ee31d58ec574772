// The refresh cookie: no script can read it, and browsers send it to /auth only, so that it never
// accompanies an ordinary request.

/** The path of the refresh cookie. The routes that read it are mounted below. */
export const REFRESH_PATH = '/auth';

/** The options of login, refresh and logout, which must agree: a cookie of another path is another cookie. */
export function cookieOptions(config) {
  return { cookie: true, path: REFRESH_PATH, secure: config.secureCookies };
}
