// Demonstrates a theft. This page and a thief hold the same refresh token. When one of them presents the token after
// the other has used it, the reuse is detected and the session is revoked for both.

import { SessionError, call, client, json, send } from './client.js';
import { byId, el } from './dom.js';

const STEPS = {
  copy: 'The thief copies the refresh token',
  honest: 'This page refreshes and goes on working',
  wait: 'The grace period passes',
  replay: 'The thief replays the old token',
  over: 'The session is over for both',
};

const list = byId('theft-steps');

/**
 * Plays the theft once and shows the requests in `trace`. `grace` is in seconds. Ends by throwing the `SessionError`, the
 * result of the page's next call.
 */
export async function playTheft(grace, trace) {
  const board = drawBoard();

  board.now('copy');
  const stolen = await asThief(trace, '/auth/demo/refresh-token', { method: 'POST' });
  if (stolen.status !== 200) throw new Error('There was no refresh token to steal.');
  const { refreshToken } = stolen.body;
  board.done('copy', `${refreshToken.slice(0, 6)}…${refreshToken.slice(-6)}`);

  board.now('honest');
  const { body: renewed } = await send('/auth/refresh', { method: 'POST', trace });
  await client.signIn(renewed);
  await call('/api/me', { trace });
  board.done('honest', 'The copy is now the old token');

  // Within the grace period a used token is treated as a retry or a second tab and gets the same new refresh token.
  // A thief who is that fast is detected later, when the two holders present different tokens.
  await countDown(grace * 1000 + 400, (left) => board.now('wait', `${left.toFixed(1)} s left`));
  board.done('wait', `${grace} s`);
  trace.say(`The grace period of ${grace} s has passed.`);

  board.now('replay');
  const replay = await asThief(trace, '/auth/demo/refresh-as-thief', {
    ...json({ refreshToken }),
    credentials: 'omit',
  });
  board.done('replay', replay.body?.error?.code ?? `answered ${replay.status}`);

  board.now('over');
  trace.say('The server has ended the session. This page does not know yet and calls the API:');
  try {
    await call('/api/me', { trace });
    trace.close('The theft went unnoticed.', 'failed');
  } catch (error) {
    if (error instanceof SessionError && error.advice === 'sign_in') {
      trace.close(
        'Neither the thief nor this page holds a working token. The user can sign in again; the thief cannot.',
      );
    }
    throw error;
  }
}

/** Sends a request that the timeline shows as the thief's. */
function asThief(trace, path, init) {
  return send(path, { ...init, trace: { step: (step) => trace.step({ ...step, actor: 'thief' }) } });
}

/** Draws the list of steps. `now` makes a step current, `done` completes it; both take an optional text. */
function drawBoard() {
  const lines = new Map();
  for (const [name, text] of Object.entries(STEPS)) {
    lines.set(
      name,
      el(
        'li',
        { 'data-step': name, 'data-state': 'todo' },
        el('span', {}, text),
        el('span', { class: 'theft-result' }),
      ),
    );
  }
  list.replaceChildren(...lines.values());
  list.hidden = false;
  const set =
    (state) =>
    (name, more = '') => {
      lines.get(name).dataset.state = state;
      lines.get(name).lastElementChild.textContent = more;
    };
  return { now: set('now'), done: set('done') };
}

/** Clears the list of steps. */
export function clearTheft() {
  list.hidden = true;
  list.replaceChildren();
}

function countDown(ms, show) {
  const end = performance.now() + ms;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const left = end - performance.now();
      if (left > 0) return show(left / 1000);
      clearInterval(timer);
      resolve();
    }, 100);
  });
}
