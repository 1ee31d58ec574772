// The timeline: one entry per action of the visitor, with one line per request.

import { announce, byId, el } from './dom.js';

const list = byId('timeline-list');
const LONGEST = 30; // entries shown

/** Shows all entries where only the newest are shown, on narrow screens. */
export function showAllEntries() {
  byId('timeline').dataset.all = 'true';
}

/** Starts an entry and returns its trace, for the client's calls. */
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

  let waiting = 0; // callers waiting for a refresh that another caller started

  // Callers may join before the refresh is sent, while it waits for another tab; its line is added later.
  const showWaiting = () => {
    const request = steps.querySelector('[data-kind="refresh"] .step-request');
    if (!request || waiting === 0) return; // not sent yet, or it belongs to another entry
    request.querySelector('.tag')?.remove();
    request.append(
      el('span', { class: 'tag' }, waiting === 1 ? '1 more call waits for it' : `${waiting} more calls wait for it`),
    );
  };

  return {
    /** Adds a request. Call the returned function with `{ status, code }` or `{ failed }` when it ends. */
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

    /** A caller joined a refresh in progress. */
    joined: () => {
      waiting += 1;
      showWaiting();
    },

    /** Adds a line of text between the requests. */
    say: (text, actor) => steps.append(el('li', { class: 'step step-words', 'data-kind': actor ?? 'note' }, text)),

    /** Completes the entry with a summary. Only the first call counts. */
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
