// The theft, played in front of the visitor. There are two holders of one refresh token: this page and a thief.
// Whoever comes second with a token that was already spent gives the theft away, and the session ends for both.

import { SignedOut, json } from './client.js';
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
 * Plays it once and shows the requests in `trace`. `grace` in seconds.
 * Ends with the page's own call, which the client turns into a sign-out, and which is thrown here as `SignedOut`.
 */
export async function playTheft(client, grace, trace) {
  const board = drawBoard();

  board.now('copy');
  const stolen = await asThief(trace, client, '/auth/demo/refresh-token', { method: 'POST' });
  if (stolen.status !== 200) throw new Error('There was no refresh token to steal.');
  const { refreshToken } = stolen.body;
  board.done('copy', `${refreshToken.slice(0, 6)}…${refreshToken.slice(-6)}`);

  board.now('honest');
  await client.refresh(trace);
  await client.call('/api/me', { trace });
  board.done('honest', 'The copy is now the old token');

  // Within the grace period an old token is taken for a lost answer or a second tab: it gets the same new pair
  // again. A thief as fast as that is found out later, as soon as the ways of the two holders part.
  await countDown(grace * 1000 + 400, (left) => board.now('wait', `${left.toFixed(1)} s left`));
  board.done('wait', `${grace} s`);
  trace.say(`The grace period of ${grace} s has passed.`);

  board.now('replay');
  const replay = await asThief(trace, client, '/auth/demo/refresh-as-thief', {
    ...json({ refreshToken }),
    credentials: 'omit',
  });
  board.done('replay', replay.body?.error?.code ?? `answered ${replay.status}`);

  board.now('over');
  trace.say('The server has ended the session. This page does not know yet and calls the API:');
  try {
    await client.call('/api/me', { trace });
    trace.close('The theft went unnoticed.', 'failed');
  } catch (error) {
    if (error instanceof SignedOut) {
      trace.close(
        'Neither the thief nor this page holds a working token. The user can sign in again; the thief cannot.',
      );
    }
    throw error;
  }
}

/** A request that the timeline shows as the thief's. */
function asThief(trace, client, path, init) {
  return client.send(path, { ...init, trace: { step: (step) => trace.step({ ...step, actor: 'thief' }) } });
}

/** The list of steps in the card. `now` makes one current, `done` completes it; both may say more. */
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

/** Clears the card for the next time. */
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
