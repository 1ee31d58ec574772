// Starts a real redis-server on a free loopback port, with its own directory.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { startOnLeasedPort } from './ports.mjs';

const run = promisify(execFile);

/** Starts a server that syncs every write to disk before it replies. It stops after the test `t`. */
export async function startRedis(t) {
  const directory = await mkdtemp(join(tmpdir(), 'regrant-redis-'));
  const server = new Redis(directory);
  t.after(async () => {
    await server.kill();
    server.release();
    await rm(directory, { recursive: true, force: true });
  });
  return startOnLeasedPort(server);
}

class Redis {
  /** Releases the port. */
  release = () => {};
  #directory;
  #process;

  constructor(directory) {
    this.#directory = directory;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** Starts the server with its existing data and waits until it accepts connections. */
  async start() {
    const settings = { port: this.port, bind: '127.0.0.1', dir: this.#directory, save: '', appendonly: 'yes' };
    const durable = { appendfsync: 'always', 'aof-use-rdb-preamble': 'no' };
    const args = Object.entries({ ...settings, ...durable }).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const log = [];
    await new Promise((ready, failed) => {
      child.once('error', failed);
      child.once('exit', () => failed(new Error(`redis-server exited:\n${log.join('\n')}`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        log.push(line);
        if (line.includes('Ready to accept connections')) ready();
      });
    });
    this.#process = child;
  }

  /** Kills the server (SIGKILL), to simulate a crash. */
  async kill() {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Runs one command and returns its raw output. */
  async command(...args) {
    const { stdout } = await run('redis-cli', ['-p', String(this.port), '--raw', ...args], { encoding: 'buffer' });
    return stdout;
  }

  /** All keys and values of the server, as bytes. */
  async contents() {
    const keys = (await this.command('KEYS', '*')).toString().split('\n').filter(Boolean);
    const values = await Promise.all(keys.map((key) => this.#value(key)));
    return { keys, bytes: Buffer.concat([Buffer.from(keys.join('\n')), ...values]) };
  }

  async #value(key) {
    const type = (await this.command('TYPE', key)).toString().trim();
    const read = {
      hash: ['HGETALL', key],
      set: ['SMEMBERS', key],
      stream: ['XRANGE', key, '-', '+'],
      string: ['GET', key],
      zset: ['ZRANGE', key, '0', '-1'],
    }[type];
    if (read === undefined) throw new Error(`the test cannot read a ${type}`);
    return this.command(...read);
  }

  /** All writes, from the append-only files. */
  async history() {
    const directory = join(this.#directory, 'appendonlydir');
    const files = await readdir(directory);
    return Buffer.concat(await Promise.all(files.map((file) => readFile(join(directory, file)))));
  }
}
