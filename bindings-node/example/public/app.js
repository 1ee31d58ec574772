// The page: its two views, and the handlers of its buttons.

import { SessionError, Unreachable, call, client, json, onAccessToken, send, traceRefreshes } from './client.js';
import { startCountdown, stopCountdown } from './countdown.js';
import { drawDevices, keepTimesFresh } from './devices.js';
import { announce, byId } from './dom.js';
import { explain } from './reasons.js';
import { TheftFailed, clearTheft, playTheft } from './theft.js';
import { showAllEntries, startEntry } from './timeline.js';

// A script cannot see the refresh cookie, so remember whether there may be one ('yes', 'no'). On a first visit
// (null) no refresh is tried.
const cookieHint = {
  get: () => localStorage.getItem('may-be-signed-in'),
  set: (value) => localStorage.setItem('may-be-signed-in', value),
};

onAccessToken((token) => {
  cookieHint.set('yes');
  const { exp } = JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
  startCountdown(Math.floor(exp - Date.now() / 1000));
  byId('token-text').textContent = `${token.slice(0, 12)}…${token.slice(-12)}`;
});

let loggedOut = 'LOGGED_OUT'; // how this page logs out
let shownUser; // whose page is shown
let isOpen = false; // the page has found out whether a user is signed in

// All tabs share one session, so each follows what happens in the others.
client.subscribe(({ status, subject, reason, code, revocation }) => {
  if (status === 'signed_out') {
    cookieHint.set('no');
    const ours = { by_user: loggedOut, elsewhere: 'LOGGED_OUT_ELSEWHERE' }[reason];
    showLogin({ code: ours ?? code ?? '', reason: revocation, message: reason });
  } else if (status === 'signed_in' && isOpen && subject !== shownUser && document.body.dataset.busy === 'false') {
    act('Signed in in another tab', async (trace) => {
      await showSignedIn(trace);
      trace.close('This tab uses the tokens of the other one.');
    });
  }
});
const answer = await fetch('/auth/demo/lifetimes');
const lifetimes = answer.ok ? await answer.json() : undefined;

// The views

function showLogin(why) {
  shownUser = undefined;
  stopCountdown();
  clearTheft();
  document.body.dataset.view = 'signed-out';
  byId('reason').hidden = !why;
  if (why) {
    chooseForm(false);
    const { title, text, tone = 'warn' } = explain(why);
    byId('reason').dataset.tone = tone;
    byId('reason-title').textContent = title;
    byId('reason-text').textContent = text;
    byId('reason-code').textContent = why.code.startsWith('ERR_') ? why.code : '';
    announce(`${title}. ${text}`);
  }
  byId('password').value = '';
  (byId('email').value ? byId('password') : byId('email')).focus({ preventScroll: true });
  if (why) window.scrollTo({ top: 0 });
}

/** The role in the access token, and the one that the next refresh will bring. */
function showRole({ user, role = 'none' }) {
  const isPending = user.role !== role;
  byId('role-text').textContent = isPending ? `Role: ${role}; ${user.role} from the next refresh on` : `Role: ${role}`;
  byId('change-role').dataset.role = user.role === 'editor' ? 'reader' : 'editor';
}

async function showSignedIn(trace) {
  const { body } = await call('/api/me', { trace });
  showRole(body);
  shownUser = client.state.subject;
  byId('who').textContent = body.user.email;
  document.body.dataset.view = 'signed-in';
  byId('call').focus({ preventScroll: true });
  await loadDevices();
}

async function loadDevices(trace) {
  const { status, body } = await call('/api/devices', { trace });
  if (status === 200) drawDevices(body.sessions, logOutDevice);
}

// Runs an action: disables the buttons meanwhile and reports errors in the timeline.

async function act(title, run) {
  if (document.body.dataset.busy === 'true') return;
  const trace = startEntry(title);
  document.body.dataset.busy = 'true';
  traceRefreshes(trace);
  try {
    await run(trace);
  } catch (error) {
    if (error instanceof TheftFailed) trace.close(error.message, 'failed');
    else if (error.advice === 'sign_in') trace.close('The session is over: sign in again.', 'ended');
    else {
      const what = error.status ? `The server answered ${error.status}.` : 'The server cannot be reached.';
      trace.close(client.state.status === 'signed_in' ? `${what} The tokens are kept; try again.` : `${what} Try again.`, 'failed');
      if (!(error instanceof SessionError || error instanceof Unreachable)) throw error;
    }
  } finally {
    traceRefreshes();
    document.body.dataset.busy = 'false';
  }
}

// Signing in and up

let signingUp = false;

function chooseForm(signUp) {
  signingUp = signUp;
  byId('tab-login').setAttribute('aria-pressed', String(!signUp));
  byId('tab-signup').setAttribute('aria-pressed', String(signUp));
  byId('form-title').textContent = signUp ? 'Create an account' : 'Sign in';
  byId('submit').textContent = signUp ? 'Sign up' : 'Sign in';
  byId('password').autocomplete = signUp ? 'new-password' : 'current-password';
  byId('password-hint').hidden = !signUp;
  byId('form-error').textContent = '';
}
byId('tab-login').addEventListener('click', () => chooseForm(false));
byId('tab-signup').addEventListener('click', () => chooseForm(true));

byId('credentials').addEventListener('submit', (event) => {
  event.preventDefault();
  const remember = byId('remember').checked;
  const credentials = { email: byId('email').value, password: byId('password').value, remember };
  byId('form-error').textContent = '';
  act(signingUp ? 'Sign up' : 'Sign in', async (trace) => {
    const answer = await send(signingUp ? '/auth/signup' : '/auth/login', { ...json(credentials), trace });
    if (answer.status >= 400) {
      byId('form-error').textContent = answer.body?.error?.message ?? 'Something went wrong.';
      trace.close('Not signed in.', 'failed');
      return;
    }
    await client.signIn(answer.body);
    byId('reason').hidden = true;
    await showSignedIn(trace);
    trace.close('Signed in with an access token in memory and a refresh token in an HttpOnly cookie.');
  });
});

// Calling the API

byId('call').addEventListener('click', () => act('Call the protected API', (trace) => callTimes(1, trace)));
byId('call-five').addEventListener('click', () => act('Call it 5 times at once', (trace) => callTimes(5, trace)));

byId('change-role').addEventListener('click', () =>
  act('Change my role', async (trace) => {
    const { role } = byId('change-role').dataset;
    await call('/auth/demo/role', { method: 'POST', ...json({ role }), trace });
    showRole((await call('/api/me', { trace })).body);
    trace.close(`The database says ${role}. The access token says so from the next refresh on.`);
  }),
);

async function callTimes(times, trace) {
  let refreshes = 0;
  traceRefreshes({
    ...trace,
    step: (step) => {
      refreshes += 1;
      return trace.step(step);
    },
  });
  const answers = await Promise.all(Array.from({ length: times }, () => call('/api/me', { trace })));
  const good = answers.filter(({ status }) => status === 200).length;
  if (good > 0) showRole(answers.find(({ status }) => status === 200).body);
  const renewed =
    refreshes === 0 ? 'no refresh was needed' : refreshes === 1 ? 'after one refresh' : `after ${refreshes} refreshes`;
  trace.close(`${good} of ${times} answered 200, ${renewed}.`, good === times ? 'done' : 'failed');
  await loadDevices();
}

// Devices

function logOutDevice(session) {
  act(`Log out ${session.device || 'a device'}`, async (trace) => {
    if (session.current) return logOut(trace);
    await call(`/api/devices/${encodeURIComponent(session.sessionId)}`, { method: 'DELETE', trace });
    await loadDevices(trace);
    trace.close('Its refresh token is revoked and its access tokens are refused from now on.');
  });
}

async function logOut(trace) {
  loggedOut = 'LOGGED_OUT';
  const { revoked } = await client.signOut();
  trace.close(revoked ? 'Logged out on this device.' : 'Logged out here. The server will be told later.');
}

byId('log-out').addEventListener('click', () => act('Log out', logOut));
byId('log-out-others').addEventListener('click', () =>
  act('Log out my other devices', async (trace) => {
    const { body } = await call('/api/devices/others', { method: 'DELETE', trace });
    await loadDevices(trace);
    const ended = body.ended === 1 ? 'One other session is' : `${body.ended} other sessions are`;
    trace.close(`${ended} revoked; this one goes on.`);
  }),
);
byId('log-out-everywhere').addEventListener('click', () =>
  act('Log out everywhere', async (trace) => {
    await call('/api/devices', { method: 'DELETE', trace });
    loggedOut = 'LOGGED_OUT_EVERYWHERE';
    await client.signOut();
    trace.close('Every session of this user is revoked.');
  }),
);

// The thefts. They end like every session that is over: with the login page and the reason.

byId('steal-late').addEventListener('click', () =>
  act('Thief comes late', (trace) => playTheft('late', lifetimes.grace, trace)),
);
byId('steal-first').addEventListener('click', () =>
  act('Thief comes first', (trace) => playTheft('first', lifetimes.grace, trace)),
);
byId('timeline-more').addEventListener('click', showAllEntries);

// Start

keepTimesFresh();
chooseForm(cookieHint.get() === null); // a first-time visitor has no account yet
if (lifetimes) byId('grace').textContent = `${lifetimes.grace}\u00a0s`;
else byId('theft').hidden = true; // a server without the demo routes
byId('change-role').hidden = !lifetimes;

if (cookieHint.get() === 'yes') {
  // A reload loses the access token but not the refresh cookie.
  await act('Open the page', async (trace) => {
    await showSignedIn(trace);
    trace.close('Still signed in: the refresh cookie brought a new access token.');
  });
} else {
  showLogin();
}
isOpen = true;
