// A fault-injecting proxy in front of the example: counts refreshes as the server sees them, and applies the configured
// faults to their responses.

import { EventEmitter, once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { chance, checkedFaults } from './faults.mjs';

/** In milliseconds: longer than any pause of a test. */
const KEEP_ALIVE = 600_000;
const REFRESH = /^\/(mobile|auth)\/refresh$|^\/api\/users\/rtVerify$/;
/** Hop-by-hop headers (RFC 9110 §7.6.1). */
const HOP = ['connection', 'keep-alive', 'transfer-encoding', 'proxy-connection', 'te', 'trailer', 'upgrade'];

const nothing = () => ({
  refreshes: { arrived: 0, granted: 0, refused: {}, lost: 0 },
  calls: {},
  presented: new Set(),
});

export class FaultProxy {
  #server;
  #agent = new Agent({ keepAlive: true });
  #upstream;
  #random;
  #faults = checkedFaults({});
  #changed = new EventEmitter().setMaxListeners(0);
  #counted = nothing();
  #held = 0;

  /** Every refresh token that was issued through this proxy, in order. */
  refreshTokens = [];

  /** A proxy without an upstream yet. */
  static async open(seed) {
    const proxy = new FaultProxy();
    proxy.#random = chance(seed);
    proxy.#server = createServer({ keepAliveTimeout: KEEP_ALIVE }, (req, res) => proxy.#forward(req, res));
    proxy.#server.on('connection', (socket) => proxy.#faults.cut && socket.destroy());
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Forwards to the example on this port. */
  forwardTo(upstream) {
    this.#upstream = upstream;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Replaces all faults. Releases held responses. */
  setFaults(faults) {
    this.#faults = checkedFaults(faults);
    if (this.#faults.cut) this.#server.closeAllConnections();
    this.#changed.emit('changed');
  }

  counts() {
    const { refreshes, calls, presented } = this.#counted;
    return { refreshes: { ...refreshes, presented: presented.size, held: this.#held }, calls };
  }

  resetCounts() {
    this.#counted = nothing();
  }

  /** A request to the server without faults and counts. */
  async direct(method, path, { headers = {}, body } = {}) {
    const sent = { method, path, headers, body: Buffer.from(body ?? '') };
    const answer = await this.#send(sent);
    return { status: answer.status, body: parsed(answer.body) };
  }

  async #forward(req, res) {
    const body = Buffer.concat(await req.toArray().catch(() => []));
    const isRefresh = REFRESH.test(req.url);
    if (isRefresh) this.#countRequest(req, body);
    let answer;
    try {
      answer = await this.#send({ method: req.method, path: req.url, headers: req.headers, body });
    } catch {
      return res.destroy();
    }
    if (isRefresh) this.#countRefresh(answer);
    else this.#countCall(req, answer);
    if (isRefresh && (await this.#isLost())) {
      this.#counted.refreshes.lost += 1;
      return res.destroy();
    }
    res.writeHead(answer.status, answer.headers).end(answer.body);
  }

  #send({ method, path, headers, body }) {
    const sent = { ...without(headers, [...HOP, 'host', 'content-length']), 'content-length': body.length };
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.#upstream, method, path, agent: this.#agent };
      const outgoing = request({ ...options, headers: sent }, async (incoming) => {
        const chunks = await incoming.toArray().catch(reject);
        const answered = without(incoming.headers, HOP);
        resolve({ status: incoming.statusCode, headers: answered, body: Buffer.concat(chunks ?? []) });
      });
      outgoing.on('error', reject).end(body);
    });
  }

  #countRequest(req, body) {
    this.#counted.refreshes.arrived += 1;
    const token = parsed(body)?.refreshToken ?? req.headers.refreshtoken ?? req.headers.cookie;
    if (token) this.#counted.presented.add(token);
  }

  #countRefresh({ status, body }) {
    const { refreshToken, error } = parsed(body) ?? {};
    if (status === 200) {
      this.#counted.refreshes.granted += 1;
      if (refreshToken) this.refreshTokens.push(refreshToken);
      return;
    }
    const { refused } = this.#counted.refreshes;
    const code = error?.code ?? status;
    refused[code] = (refused[code] ?? 0) + 1;
  }

  #countCall(req, { status, body }) {
    const { refreshToken } = parsed(body) ?? {};
    if (refreshToken) this.refreshTokens.push(refreshToken);
    if (!req.url.startsWith('/api/')) return;
    const { calls } = this.#counted;
    calls[status] = (calls[status] ?? 0) + 1;
  }

  /** Whether the response is lost, after any delay or hold. The server has already acted. */
  async #isLost() {
    if (this.#faults.delay) await sleep(this.#faults.delay);
    this.#held += 1;
    while (this.#faults.hold) await once(this.#changed, 'changed');
    this.#held -= 1;
    if (this.#faults.cut) return true;
    if (this.#faults.loseNext > 0) {
      this.#faults.loseNext -= 1;
      return true;
    }
    return this.#random() < this.#faults.lose;
  }
}

function without(headers, names) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

function parsed(body) {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
