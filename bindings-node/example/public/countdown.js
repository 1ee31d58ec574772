// The ring that empties while the access token lives.

import { byId } from './dom.js';

const ring = byId('ring');
const figure = byId('ring-figure');
const state = byId('ring-state');

let timer;

/**
 * Starts over for a token that lives `expiresIn` seconds from now, as the server answered it: rounded down. One
 * second more, because the ring must not say "expired" before it is true. The page's own clock is used for
 * nothing but this drawing.
 */
export function startCountdown(expiresIn) {
  const seconds = expiresIn + 1;
  clearInterval(timer);
  const end = performance.now() + seconds * 1000;
  const draw = () => {
    const left = Math.max(0, end - performance.now());
    const alive = left > 0;
    ring.style.setProperty('--left', left / (seconds * 1000));
    ring.dataset.state = !alive ? 'expired' : left / 1000 < seconds / 4 ? 'ending' : 'live';
    figure.textContent = alive ? String(Math.ceil(left / 1000)) : '0';
    state.textContent = alive ? 'Valid. Calls pass without any look-up.' : 'Expired. The next call renews it.';
    if (!alive) clearInterval(timer);
  };
  timer = setInterval(draw, 100);
  draw();
}

export function stopCountdown() {
  clearInterval(timer);
}
