// The timeline: one entry per thing the visitor did, one line in it per request that this caused.

import { announce, byId, el } from './dom.js';

const list = byId('timeline-list');
const LONGEST = 30; // entries kept

/** Starts an entry and returns its trace, to be handed to the client's calls. */
export function startEntry(title) {
  const steps = el('ol', { class: 'steps' });
  const summary = el('p', { class: 'entry-summary' });
  const entry = el(
    'li',
    { class: 'entry', 'data-title': title, 'data-state': 'running' },
    el(
      'div',
      { class: 'entry-head' },
      el('h3', {}, title),
      el('time', { datetime: new Date().toISOString() }, new Date().toLocaleTimeString()),
    ),
    steps,
    summary,
  );
  list.prepend(entry);
  while (list.children.length > LONGEST) list.lastElementChild.remove();
  byId('timeline').dataset.empty = 'false';

  let waiting = 0; // callers that wait for a refresh which another one started

  // Callers may join before the refresh is sent, while it waits for another tab: then its line comes later.
  const showWaiting = () => {
    const request = steps.querySelector('[data-kind="refresh"] .step-request');
    if (!request || waiting === 0) return; // not sent yet, or it belongs to another entry
    request.querySelector('.tag')?.remove();
    request.append(
      el('span', { class: 'tag' }, waiting === 1 ? '1 more call waits for it' : `${waiting} more calls wait for it`),
    );
  };

  return {
    /** A request begins; call the answer with `{ status, code }` or `{ failed }` when it ends. */
    step: ({ method, path, refresh, retry, actor, note }) => {
      const started = performance.now();
      const kind = actor ?? (refresh ? 'refresh' : 'call');
      const chip = el('span', { class: 'chip', 'data-tone': 'pending' }, 'sending');
      const code = el('span', { class: 'step-code' });
      const took = el('span', { class: 'step-time' });
      const line = el(
        'li',
        { class: 'step', 'data-kind': kind, 'data-path': path, 'data-retry': retry },
        el(
          'span',
          { class: 'step-request' },
          el('span', { class: 'method' }, method),
          ' ',
          path,
          (retry || note) && el('span', { class: 'tag' }, note ?? 'again'),
        ),
        el('span', { class: 'step-answer' }, chip, code),
        took,
      );
      steps.append(line);
      if (refresh) showWaiting();

      return ({ status, code: answered, failed }) => {
        chip.textContent = failed ? 'no answer' : status;
        chip.dataset.tone = failed ? 'bad' : tone(status, answered);
        if (answered) code.textContent = answered;
        else if (refresh && status === 200) code.textContent = 'new pair';
        line.dataset.status = failed ? 'failed' : status;
        if (answered) line.dataset.code = answered;
        took.textContent = `${Math.max(1, Math.round(performance.now() - started))} ms`;
      };
    },

    /** A caller found a refresh in flight and waits for that one. */
    joined: () => {
      waiting += 1;
      showWaiting();
    },

    /** A line of plain words between the requests. */
    say: (text, actor) => steps.append(el('li', { class: 'step step-words', 'data-kind': actor ?? 'note' }, text)),

    /** The entry is complete; `text` sums it up. The first summary stands. */
    close: (text, state = 'done') => {
      if (entry.dataset.state !== 'running') return;
      entry.dataset.state = state;
      summary.textContent = text;
      announce(`${title}: ${text}`);
    },
  };
}

function tone(status, code) {
  if (status < 400) return 'good';
  return code === 'ERR_TOKEN_EXPIRED' || status >= 500 || status === 409 ? 'warn' : 'bad';
}
