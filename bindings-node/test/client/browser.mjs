// A simulated browser in virtual time: tabs that run the scripts of the client, with one cookie jar, one localStorage, Web
// Locks, BroadcastChannel, and a network with delays, before the real server with a memory store.
import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import { TestClock, createAuth } from 'regrant';
import * as http from 'regrant/http';

const scripts = ['client.iife.js', 'client-stored.iife.js'].map(
  (filename) => new vm.Script(readFileSync(new URL(`../../dist/${filename}`, import.meta.url), 'utf8'), { filename }),
);

const modules = readFileSync(new URL('../../dist/client.mjs', import.meta.url), 'utf8');

/** The client with flaws: each `from` is `to` in its code. */
export function flawed(flaws) {
  let code = modules;
  for (const [from, to] of flaws) {
    if (!code.includes(from)) throw new Error(`the client has no ${from}`);
    code = code.replace(from, to);
  }
  return [new vm.Script(code.replace(/^export \{(.*)\};$/m, 'globalThis.regrant = {$1};'), { filename: 'flawed.js' })];
}

export const ORIGIN = 'https://app.example';
const START = Date.UTC(2026, 0, 1);

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
export function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Browser {
  /** Milliseconds since the start. */
  time = 0;
  random;
  jar = new Map();
  items = new Map();
  channels = new Set();
  /** The requests for each lock, by its name; the first one holds it. */
  locks = new Map();
  hasLocks = true;
  /** By how much the wall clock of the device is wrong. */
  skew = 0;
  /** Requests that arrived at the server: `{ path, status, at, tab, headers, body, isDelivered }`. */
  requests = [];
  /** What happens to a request: `{ toServer, toClient }` in ms, `lost` (`'request'`, `'response'`, `'hangs'`), `cancelled` in ms after it was aborted, a `response`, or a `redirect`. */
  network = () => ({});
  #timers = [];
  #timerId = 0;
  #busy = 0;

  constructor({ seed = 1, config = {}, claims, flaws } = {}) {
    this.scripts = flaws ? flawed(flaws) : scripts;
    this.random = randomOf(seed);
    this.clock = new TestClock(START);
    this.auth = createAuth({ secret: 'the secret of the simulated server', store: 'memory:', clock: this.clock, ...config });
    this.claims = claims;
  }

  get wall() {
    return START + this.time;
  }

  // Time

  setTimeout(run, ms = 0) {
    const timer = { id: ++this.#timerId, at: this.time + Math.max(0, ms || 0), run };
    this.#timers.push(timer);
    return timer.id;
  }

  clearTimeout(id) {
    this.#timers = this.#timers.filter((timer) => timer.id !== id);
  }

  /** Lets all that can happen now happen: the server runs in real time, which is none here. */
  async settle() {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.#busy > 0);
  }

  /** Lets time pass. */
  async advance(ms) {
    const end = this.time + ms;
    await this.settle();
    for (;;) {
      const next = this.#timers.reduce((first, timer) => (!first || timer.at < first.at || (timer.at === first.at && timer.id < first.id) ? timer : first), undefined);
      if (!next || next.at > end) break;
      this.clearTimeout(next.id);
      this.time = Math.max(this.time, next.at);
      next.run();
      await this.settle();
    }
    this.time = end;
  }

  /** Waits for a promise in virtual time: `{ value }` or `{ error }`. */
  async outcome(promise, limit = 200_000) {
    let done;
    promise.then((value) => (done = { value }), (error) => (done = { error }));
    for (const end = this.time + limit; !done && this.time < end; ) await this.advance(done ? 0 : Math.min(50, end - this.time));
    return done ?? { timeout: true };
  }

  /** The value of a promise. */
  async value(promise, limit) {
    const { value, error, timeout } = await this.outcome(promise, limit);
    if (timeout) throw new Error('not within the limit of virtual time');
    if (error) throw error;
    return value;
  }

  // The server

  async server(request) {
    const { path, search, method, headers, body } = request;
    this.clock.set(this.wall);
    const cookie = headers.get('cookie');
    const head = { method, url: path + search, headers: { host: 'app.example', 'sec-fetch-site': 'same-origin', ...Object.fromEntries(headers) }, body };
    if (path === '/auth/refresh') return http.refresh(this.auth, head);
    if (path === '/auth/logout') return http.logout(this.auth, head);
    const decision = await http.authenticate(this.auth, head);
    if (!decision.ok) return decision.answer;
    return { status: 200, headers: { 'content-type': 'application/json' }, cookies: [], body: { user: decision.auth.subject, body: request.body, cookie } };
  }

  /** A login: the response's body. Its cookie is in the jar. */
  async login(user = 'alice') {
    this.clock.set(this.wall);
    const pair = await this.auth.login(user);
    const answer = http.loginAnswer(this.auth, { method: 'POST', headers: {} }, pair);
    this.setCookies(answer.cookies);
    return answer.body;
  }

  setCookies(lines) {
    for (const line of lines) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/max-age=0/i.test(line) || value === '') this.jar.delete(name);
      else this.jar.set(name, value);
    }
  }

  /** A request of a tab. Its cookies are those at the time it is sent, and those of its response land with its head. */
  fetch(tab, url, init = {}) {
    const { pathname: path, search, origin } = new URL(url, ORIGIN);
    const headers = new Headers(init.headers);
    if (init.credentials === 'include' || origin === ORIGIN) headers.set('cookie', [...this.jar].map(([name, value]) => `${name}=${value}`).join('; '));
    const request = { path, search, origin, method: init.method ?? 'GET', headers, at: this.time, tab, body: typeof init.body === 'string' && init.body.startsWith('{') ? JSON.parse(init.body) : init.body };
    const { toServer = 20, toClient = 20, lost, cancelled = 5, response, redirect } = this.network(request) ?? {};
    return new Promise((onResponse, onError) => {
      const resolve = (response) => tab.run(() => onResponse(response));
      const reject = (error) => tab.run(() => onError(error));
      let isCancelled = false;
      const { signal } = init;
      const abort = () => {
        reject(signal.reason);
        // The network process hears of it a moment later.
        this.setTimeout(() => (isCancelled = true), cancelled);
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort);
      tab.onClose.push(() => (isCancelled = true));
      if (redirect && init.redirect === 'error') return void this.setTimeout(() => reject(new TypeError('redirected')), toServer);
      if (redirect) throw new Error('the token went along');
      if (lost === 'request') return void this.setTimeout(() => reject(new TypeError('network error')), toServer);
      this.setTimeout(async () => {
        this.#busy++;
        const answer = response ?? await this.server(request).catch((error) => ({ status: 500, headers: {}, cookies: [], body: String(error) }));
        const entry = { ...request, status: answer.status, arrivedAt: this.time, answer, isDelivered: false };
        this.requests.push(entry);
        this.#busy--;
        if (lost === 'hangs') return;
        this.setTimeout(() => {
          if (isCancelled) return;
          entry.isDelivered = lost !== 'response' && !signal?.aborted;
          if (lost === 'response') return reject(new TypeError('network error'));
          this.setCookies(answer.cookies ?? []);
          const text = typeof answer.body === 'string' || answer.body === undefined ? answer.body : JSON.stringify(answer.body);
          const isEmpty = [204, 304].includes(answer.status);
          const result = new Response(isEmpty ? null : text, { status: answer.status, headers: { date: new Date(this.wall).toUTCString(), ...answer.headers } });
          resolve(Object.defineProperty(result, 'url', { value: answer.url ?? `${origin}${path}${search}` }));
        }, toClient);
      }, toServer);
    });
  }

  refreshes(from = 0) {
    return this.requests.filter(({ path, arrivedAt }) => path === '/auth/refresh' && arrivedAt >= from);
  }

  // Tabs

  open(options, surroundings) {
    return new Tab(this, options, surroundings);
  }

  /** Whether a tab has a Web Lock or waits for one. */
  usesLock(tab) {
    return [...this.locks.values()].flat().some((entry) => entry.tab === tab);
  }

  lockManager(tab) {
    return {
      request: (name, { signal, steal }, hold) =>
        new Promise((resolve, reject) => {
          const queue = this.locks.get(name) ?? [];
          this.locks.set(name, queue);
          const entry = { tab, reject, start: () => tab.run(() => hold().then(resolve, reject).finally(() => leave())) };
          const leave = () => {
            const [first] = queue;
            if (queue.includes(entry)) queue.splice(queue.indexOf(entry), 1);
            if (first === entry) queue[0]?.start();
          };
          signal?.addEventListener('abort', () => {
            if (queue[0] === entry || !queue.includes(entry)) return;
            leave();
            reject(signal.reason);
          });
          tab.onClose.push(leave);
          if (steal) {
            const stolen = queue.shift();
            stolen?.reject(new DOMException('stolen', 'AbortError'));
            queue.unshift(entry);
            entry.start();
          } else {
            queue.push(entry);
            if (queue[0] === entry) queueMicrotask(entry.start);
          }
        }),
    };
  }
}

/** A tab with its own globals, in which the script runs. */
class Tab {
  onClose = [];
  listeners = [];
  isFrozen = false;
  /** In the back-forward cache. */
  isCached = false;
  isClosed = false;
  /** What a frozen tab runs when it is thawed. */
  frozen = [];
  /** Timers of a hidden tab run at whole minutes. */
  isHidden = false;
  states = [];

  constructor(browser, options = { refresh: '/auth/refresh' }, { without = [], ...extra } = {}) {
    this.browser = browser;
    const tab = this;
    const inTab = (work) => () => tab.run(work);
    class BroadcastChannel {
      constructor(name) {
        this.name = name;
        browser.channels.add(this);
        tab.onClose.push(() => browser.channels.delete(this));
      }
      postMessage(message) {
        const copy = structuredClone(message);
        for (const channel of browser.channels) {
          if (channel !== this && channel.name === this.name) browser.setTimeout(channel.receive(copy), 1);
        }
      }
      receive(data) {
        // A page in the back-forward cache misses messages.
        return () => tab.isCached || tab.run(() => this.onmessage?.({ data }));
      }
    }
    const throttled = (ms) => (tab.isHidden ? Math.ceil((browser.time + ms) / 60_000) * 60_000 - browser.time : ms);
    const globals = {
      AbortController, ArrayBuffer, Blob, BroadcastChannel, FormData, Headers, Request, Response, URL, URLSearchParams, atob, queueMicrotask,
      addEventListener: (type, listener) => this.listeners.push({ type, listener }),
      clearTimeout: (id) => browser.clearTimeout(id),
      document: { set cookie(line) { browser.setCookies([line]); } },
      fetch: (url, init) => {
        if (tab.isClosed) return new Promise(() => {});
        return typeof url === 'object' && 'headers' in url
          ? browser.fetch(tab, url.url, { method: url.method, headers: url.headers, body: 'request', ...init })
          : browser.fetch(tab, url, init);
      },
      localStorage: {
        getItem: (key) => browser.items.get(key) ?? null,
        setItem: (key, value) => void browser.items.set(key, String(value)),
        removeItem: (key) => void browser.items.delete(key),
      },
      location: { href: `${ORIGIN}/page` },
      navigator: browser.hasLocks ? { locks: browser.lockManager(tab) } : {},
      performance: { now: () => browser.time },
      setTimeout: (run, ms = 0, ...args) => browser.setTimeout(inTab(() => run(...args)), throttled(ms)),
      ...extra,
    };
    for (const name of without) delete globals[name];
    const context = vm.createContext(globals);
    vm.runInContext('(now, random) => { Date.now = now; Math.random = random; }', context)(() => browser.wall + browser.skew, browser.random);
    for (const script of browser.scripts) script.runInContext(context);
    this.globals = globals;
    this.regrant = vm.runInContext('regrant', context);
    this.client = this.regrant.createClient(typeof options === 'function' ? options(this.regrant, globals) : options);
    this.client.subscribe((state) => this.states.push(state.reason ?? state.status));
  }

  /** Runs `work` unless the tab is closed; a frozen tab runs it when it is thawed. */
  run(work) {
    if (this.isClosed) return;
    if (this.isFrozen) this.frozen.push(work);
    else work();
  }

  get token() {
    return this.client.accessToken();
  }

  fire(type, event = {}) {
    for (const one of this.listeners) if (one.type === type) one.listener(event);
  }

  close() {
    this.isClosed = true;
    for (const run of this.onClose) run();
  }

  freeze() {
    this.isFrozen = true;
  }

  thaw() {
    this.isFrozen = false;
    for (const work of this.frozen.splice(0)) work();
  }

  /** The user leaves the page, which goes to the back-forward cache. */
  hide() {
    this.fire('pagehide', { persisted: true });
    this.freeze();
    this.isCached = true;
  }

  /** The user comes back to the page. */
  show() {
    this.isCached = false;
    this.thaw();
    this.fire('pageshow', { persisted: true });
  }
}
