// A peer under test: two server processes of one app over a Redis of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Connections, connectRedis } from './http.mjs';

/** The running Redis servers with their folders, which end with this process. */
const running = new Map();
process.on('exit', () => {
  for (const [child, folder] of running) {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** Another process may take a free port before redis-server binds it. */
const PORT_ATTEMPTS = 5;

export class Peer {
  /** Starts a peer by the file name of its adapter. */
  static async start(file) {
    const path = new URL(`adapters/${file}.mjs`, import.meta.url).href;
    const peer = new Peer();
    Object.assign(peer, await import(path));
    peer.versions = await Promise.all(peer.packages.map(versionOf));
    peer.redis = await RedisServer.start();
    const start = () => ServerProcess.start(path, peer.redis.url);
    [peer.a, peer.b] = await Promise.all([start(), start()]);
    /** Starts another process in place of the killed process `a`. */
    peer.replaceA = async () => {
      await peer.a.stop();
      peer.a = await start();
    };
    return peer;
  }

  async stop() {
    await Promise.all([this.a.stop(), this.b.stop()]);
    await this.redis.stop();
  }
}

class ServerProcess {
  #child;

  static async start(path, redis) {
    const server = new ServerProcess();
    const script = fileURLToPath(new URL('server.mjs', import.meta.url));
    server.#child = spawn(process.execPath, [script, path, redis], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    const [{ port }] = await once(server.#child, 'message');
    server.connections = new Connections(port);
    return server;
  }

  /** Resolves when this many responses are held back (see `server.mjs`). */
  held(count) {
    let held = 0;
    return new Promise((resolve) => {
      this.#child.on('message', () => (held += 1) === count && resolve());
    });
  }

  /** The processor time used so far, in microseconds. */
  async processor() {
    this.#child.send('processor time');
    const [{ processor }] = await once(this.#child, 'message');
    return processor;
  }

  /** Kills the process (SIGKILL). */
  async kill() {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async stop() {
    await this.connections.close();
    if (this.#child.connected) this.#child.disconnect();
  }
}

/** A redis-server that writes a snapshot when it is asked, and otherwise nothing. */
class RedisServer {
  #child;
  #folder;
  #client;

  static async start() {
    const server = new RedisServer();
    server.#folder = await mkdtemp(join(tmpdir(), 'regrant-bench-'));
    for (let attempt = 1; ; attempt += 1) {
      server.port = await freePort();
      try {
        await server.#run();
        break;
      } catch (error) {
        if (attempt === PORT_ATTEMPTS) throw error;
      }
    }
    server.#client = connectRedis(server.url);
    return server;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  async #run() {
    const settings = { port: this.port, bind: '127.0.0.1', dir: this.#folder, save: '', appendonly: 'no' };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    running.set(child, this.#folder);
    child.once('exit', () => running.delete(child));
    await new Promise((ready, failed) => {
      child.once('error', failed);
      child.once('exit', (code) => failed(new Error(`redis-server has exited with ${code}`)));
      createInterface({ input: child.stdout }).on('line', (line) => line.includes('Ready to accept connections') && ready());
    });
    this.#child = child;
  }

  snapshot() {
    return this.#client.save();
  }

  /** Kills the server (SIGKILL) and starts it again with its snapshot. */
  async setBack() {
    await this.#kill();
    await this.#run();
  }

  /** The processor time used so far, in microseconds. */
  async processor() {
    const info = await this.#client.info('cpu');
    const seconds = (name) => Number(new RegExp(`^${name}:(.*)`, 'm').exec(info)[1]);
    return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6;
  }

  async #kill() {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async stop() {
    this.#client.disconnect();
    await this.#kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A package with its installed version. */
async function versionOf(name) {
  const folder = name === 'regrant' ? '../../../../bindings-node' : `../node_modules/${name}`;
  const { version } = JSON.parse(await readFile(new URL(`${folder}/package.json`, import.meta.url)));
  return `${name} ${version}`;
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}
