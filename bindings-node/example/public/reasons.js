// The texts that explain a sign-out on the login page. The code is shown beside them, for developers.

const REASONS = {
  ERR_REFRESH_REUSED: {
    title: 'Your session was ended for your safety',
    text: 'An old refresh token came back although the next one was in use. Two holders had it, so nobody keeps the session.',
    tone: 'bad',
  },
  ERR_SESSION_REVOKED: {
    title: 'This session was ended',
    text: 'It was logged out, here or from another device.',
  },
  ERR_REFRESH_EXPIRED: {
    title: 'Your session has expired',
    text: 'It was not used for longer than its refresh token lives.',
  },
  // The browser drops the refresh cookie when its token expires, so a page that was asleep for long gets this error.
  ERR_TOKEN_MISSING: {
    title: 'Your session has expired',
    text: 'The refresh token outlived its time and the browser has dropped its cookie.',
  },
  ERR_SESSION_UNKNOWN: {
    title: 'The server does not know this session',
    text: 'It may have been restarted: without a Redis the example keeps sessions in memory.',
  },
  ERR_SIGNATURE_INVALID: {
    title: 'The server has a new key',
    text: 'It was restarted without a SECRET_KEY, so tokens from before are not valid. Accounts kept in memory are gone too.',
  },
  LOGGED_OUT: { title: 'You are logged out', text: 'This device only. Others stay signed in.' },
  LOGGED_OUT_ELSEWHERE: { title: 'You are logged out', text: 'You logged out in another tab. All tabs share one session.' },
  LOGGED_OUT_EVERYWHERE: { title: 'You are logged out everywhere', text: 'No device has a working token any more.' },
};

// Texts for the reason of a revoked session, where they differ.
const BECAUSE = {
  reused: REASONS.ERR_REFRESH_REUSED,
  logout_everywhere: { title: 'This session was ended', text: 'You logged out on all devices, or on all but one, from another one.' },
  displaced: { title: 'This session was ended', text: 'You signed in on more devices than may be signed in at once.' },
};

/** `{ title, text, tone }` for a sign-out. For unknown codes the text is the server's message. */
export function explain({ code, reason, message }) {
  return BECAUSE[reason] ?? REASONS[code] ?? { title: 'You are signed out', text: message };
}
