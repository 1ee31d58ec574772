// The list of devices: every live session of this user, each with a button to log it out.

import { byId, el } from './dom.js';

const list = byId('device-list');

/** Draws the sessions. A device's button calls `onLogOut(session)`. */
export function drawDevices(sessions, onLogOut) {
  const live = sessions.filter((session) => session.state === 'live');
  live.sort((a, b) => b.current - a.current || Date.parse(b.lastRefreshedAt) - Date.parse(a.lastRefreshedAt));
  list.replaceChildren(...live.map((session) => device(session, onLogOut)));
  byId('device-count').textContent = live.length;
  byId('log-out-others').hidden = live.length < 2;
}

function device(session, onLogOut) {
  const name = session.device || 'Unknown device';
  return el(
    'li',
    { class: 'device', 'data-session': session.sessionId, 'data-current': String(session.current) },
    el(
      'div',
      {},
      el('p', { class: 'device-name' }, name, session.current && el('span', { class: 'badge' }, 'this device')),
      el(
        'p',
        { class: 'device-times' },
        'Signed in ',
        moment(session.createdAt),
        origin(session.createdFrom),
        el('span', { 'aria-hidden': 'true' }, ' · '),
        'refreshed ',
        moment(session.lastRefreshedAt),
        origin(session.lastRefreshedFrom),
      ),
    ),
    el(
      'button',
      { type: 'button', class: 'quiet', 'aria-label': `Log out ${name}`, onclick: () => onLogOut(session) },
      'Log out',
    ),
  );
}

/** Where a login or refresh came from: the address, with the user agent as its tooltip. */
function origin(client) {
  return client?.address && el('span', { class: 'device-origin', title: client.userAgent ?? '' }, ` from ${client.address}`);
}

function moment(iso) {
  return el('time', { datetime: iso, title: new Date(iso).toLocaleString() }, ago(iso));
}

/** 'just now', '12 s ago', '3 min ago', then the time of day. */
function ago(iso) {
  const seconds = Math.round((Date.now() - Date.parse(iso)) / 1000);
  if (seconds < 3) return 'just now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return new Date(iso).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

/** Updates the "… ago" of the list every second. */
export function keepTimesFresh() {
  setInterval(() => {
    for (const time of list.querySelectorAll('time')) time.textContent = ago(time.dateTime);
  }, 1000);
}
