// The ring that shows the remaining lifetime of the access token.

import { byId } from './dom.js';

const ring = byId('ring');
const figure = byId('ring-figure');
const state = byId('ring-state');

let timer;

/**
 * Restarts for a token that expires in `expiresIn` seconds. The server rounds that down, so a second is added: the
 * ring must not show "expired" too early. The page uses its own clock for this drawing only.
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
