// Demonstrates two thefts. This page and a thief hold the same refresh token; one of them uses it first. When the other
// presents it afterwards, the reuse is detected and the session is revoked for both.

import { SessionError, call, client, json, renew, send } from './client.js';
import { byId, el } from './dom.js';

const list = byId('theft-steps');
const OVER = 'The session is over for both';

/** The page refreshes first. The thief's copy is the old token then. */
const late = {
  steps: {
    copy: 'The thief copies the refresh token',
    refresh: 'This page refreshes and goes on working',
    wait: 'The grace period passes',
    replay: 'The thief presents the old token',
    over: OVER,
  },
  async play(board, { grace, trace, thief }) {
    const refreshToken = await thief.copy();
    await board.during('refresh', async () => {
      await client.signIn(granted(await send('/auth/refresh', { method: 'POST', trace })));
      await call('/api/me', { trace });
      return 'The copy is now the old token';
    });
    await board.wait(grace);
    await board.during('replay', async () => {
      const { status, body } = await thief.refresh(refreshToken);
      return body?.error?.code ?? `answered ${status}`;
    });
    board.now('over');
    trace.say('The server has revoked the session. This page does not know yet and calls the API:');
    await call('/api/me', { trace });
  },
};

/** The thief refreshes first and works with the new pair. This page's own token is the old one then. */
const first = {
  steps: {
    copy: 'The thief copies the refresh token',
    refresh: 'The thief refreshes and uses the new pair',
    wait: 'The grace period passes',
    replay: 'This page refreshes, with the old token',
    over: OVER,
  },
  async play(board, { grace, trace, thief }) {
    const refreshToken = await thief.copy();
    let accessToken;
    await board.during('refresh', async () => {
      ({ accessToken } = granted(await thief.refresh(refreshToken)));
      const { status } = await thief.call('/api/me', accessToken);
      return `The API answers ${status}: it cannot tell them apart`;
    });
    await board.wait(grace);
    board.now('replay');
    try {
      await renew();
    } catch (error) {
      if (isOver(error)) {
        trace.say('The server has revoked the session. The thief does not know yet and calls the API:');
        await thief.call('/api/me', accessToken);
      }
      throw error;
    }
  },
};

// Who comes second is detected.
const THEFTS = { late, first };

/**
 * Plays a theft once and shows the requests in `trace`. `grace` is in seconds. Ends by throwing the `SessionError` with which
 * the page learns that its session is over, or the error for which the theft was given up.
 */
export async function playTheft(who, grace, trace) {
  const { steps, play } = THEFTS[who];
  const board = drawBoard(steps);
  try {
    await play(board, { grace, trace, thief: thiefOf(board, trace) });
    clearTheft();
    trace.close('The theft went unnoticed.', 'failed');
  } catch (error) {
    // Half a theft explains nothing; the timeline says what went wrong.
    if (!isOver(error)) clearTheft();
    else trace.close('Neither the thief nor this page holds a working token. The user can sign in again; the thief cannot.');
    throw error;
  }
}

const isOver = (error) => error instanceof SessionError && error.advice === 'sign_in';

/** What the thief does. The timeline shows these requests as the thief's. */
function thiefOf(board, trace) {
  const asThief = (path, init) =>
    send(path, { ...init, trace: { step: (step) => trace.step({ ...step, actor: 'thief' }) } });
  return {
    /** The copy of the page's refresh token. */
    async copy() {
      let refreshToken;
      await board.during('copy', async () => {
        ({ refreshToken } = granted(await asThief('/auth/demo/refresh-token', { method: 'POST' })));
        return `${refreshToken.slice(0, 6)}…${refreshToken.slice(-6)}`;
      });
      return refreshToken;
    },
    refresh: (refreshToken) =>
      asThief('/auth/demo/refresh-as-thief', { ...json({ refreshToken }), credentials: 'omit' }),
    call: (path, accessToken) =>
      asThief(path, { headers: { Authorization: `Bearer ${accessToken}` }, credentials: 'omit' }),
  };
}

/** A theft that cannot be played. The message is for the visitor. */
export class TheftFailed extends Error {}

/** The body of an answer with tokens. */
function granted({ status, body }) {
  if (status !== 200) throw new TheftFailed(`The theft cannot be played: the server answered ${status}.`);
  return body;
}

/** Draws the list of steps. `now` makes a step current; `during` and `wait` also complete it, with a text. */
function drawBoard(steps) {
  const lines = new Map();
  for (const [name, text] of Object.entries(steps)) {
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
  const set = (name, state, more = '') => {
    lines.get(name).dataset.state = state;
    lines.get(name).lastElementChild.textContent = more;
  };
  return {
    now: (name) => set(name, 'now'),
    async during(name, run) {
      set(name, 'now');
      set(name, 'done', await run());
    },
    /** Within the grace period a used token is treated as a retry or a second tab, and gets the same new one. */
    async wait(grace) {
      await countDown(grace * 1000 + 400, (left) => set('wait', 'now', `${left.toFixed(1)} s left`));
      set('wait', 'done', `${grace} s`);
    },
  };
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
