// A line to the example: a proxy on a port of its own that counts refreshes as the server saw them, and breaks
// what it is told to break.

import { EventEmitter, once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { chance, checkedFaults } from './faults.mjs';

/** Longer than any pause of a test. */
const KEEP_ALIVE = 600_000;
const REFRESH = /^\/(mobile|auth)\/refresh$|^\/api\/users\/rtVerify$/;
/** Of one hop only (RFC 9110 §7.6.1). */
const HOP = ['connection', 'keep-alive', 'transfer-encoding', 'proxy-connection', 'te', 'trailer', 'upgrade'];

const nothing = () => ({
  refreshes: { arrived: 0, granted: 0, refused: {}, lost: 0 },
  calls: {},
  presented: new Set(),
});

export class Line {
  #server;
  #agent = new Agent({ keepAlive: true });
  #upstream;
  #draw;
  #faults = checkedFaults({});
  #changed = new EventEmitter().setMaxListeners(0);
  #counted = nothing();
  #held = 0;

  /** Every refresh token that was answered to whoever is on this line, in order. */
  refreshTokens = [];

  /** A line that leads nowhere yet. */
  static async open(seed) {
    const line = new Line();
    line.#draw = chance(seed);
    line.#server = createServer({ keepAliveTimeout: KEEP_ALIVE }, (req, res) => line.#carry(req, res));
    line.#server.on('connection', (socket) => line.#faults.cut && socket.destroy());
    line.#server.listen(0, '127.0.0.1');
    await once(line.#server, 'listening');
    return line;
  }

  /** To the example on this port. */
  leadTo(upstream) {
    this.#upstream = upstream;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** In place of all faults before. What was held goes on. */
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

  /** A request to the server that nothing happens to and nobody counts. */
  async direct(method, path, { headers = {}, body } = {}) {
    const sent = { method, path, headers, body: Buffer.from(body ?? '') };
    const answer = await this.#send(sent);
    return { status: answer.status, body: parsed(answer.body) };
  }

  async #carry(req, res) {
    const body = Buffer.concat(await req.toArray().catch(() => []));
    const isRefresh = REFRESH.test(req.url);
    if (isRefresh) this.#arrives(req, body);
    let answer;
    try {
      answer = await this.#send({ method: req.method, path: req.url, headers: req.headers, body });
    } catch {
      return res.destroy();
    }
    if (isRefresh) this.#granted(answer);
    else this.#called(req, answer);
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

  #arrives(req, body) {
    this.#counted.refreshes.arrived += 1;
    const token = parsed(body)?.refreshToken ?? req.headers.refreshtoken ?? req.headers.cookie;
    if (token) this.#counted.presented.add(token);
  }

  #granted({ status, body }) {
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

  #called(req, { status, body }) {
    const { refreshToken } = parsed(body) ?? {};
    if (refreshToken) this.refreshTokens.push(refreshToken);
    if (!req.url.startsWith('/api/')) return;
    const { calls } = this.#counted;
    calls[status] = (calls[status] ?? 0) + 1;
  }

  /** The server has acted. Whether its answer gets lost, after it was held or late. */
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
    return this.#draw() < this.#faults.lose;
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
