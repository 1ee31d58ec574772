// Starts real MariaDB and PostgreSQL servers on free loopback ports, with directories of their own.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { chown, mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { startOnLeasedPort } from './ports.mjs';

const execute = promisify(execFile);

const READY_WITHIN = 60_000;
const ASK_EVERY = 50;
/** The user and group `nobody`: PostgreSQL refuses to run as root. */
const NOBODY = 65_534;
const credentials = process.getuid() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

/** Starts MariaDB with an empty database `app`. It stops after `t`, a test or a suite. */
export function startMariadb(t) {
  const program = find('mariadbd', ['/usr/sbin', '/usr/local/sbin'])
    ?? missing('MariaDB is missing: apt-get install mariadb-server-core, or brew install mariadb');
  // Without the privilege tables there is nothing to install.
  const settings = (directory) => [
    '--no-defaults', '--skip-grant-tables', `--datadir=${join(directory, 'data')}`,
    '--innodb-buffer-pool-size=32M', '--innodb-log-file-size=16M',
    // What was written survives the death of the process all the same.
    '--innodb-flush-log-at-trx-commit=2',
  ];
  return start(t, {
    async initialize(directory) {
      await mkdir(join(directory, 'data'));
      await chown(join(directory, 'data'), ...owner());
      const bootstrap = execute(program, [...settings(directory), '--bootstrap'], { ...credentials, cwd: directory });
      bootstrap.child.stdin.end('CREATE DATABASE app;\n');
      await bootstrap;
    },
    command: (directory, port) => [program, [
      ...settings(directory), '--bind-address=127.0.0.1', `--port=${port}`, `--socket=${join(directory, 'socket')}`,
    ]],
    url: (port) => `mysql://root@127.0.0.1:${port}/app`,
    async ask(url) {
      (await mysql.createConnection(url)).destroy();
    },
  });
}

/** Starts PostgreSQL. It stops after `t`, a test or a suite. */
export function startPostgres(t) {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((one, other) => other - one) : [];
  const program = find('postgres', versions.map((version) => join(debian, version, 'bin')))
    ?? missing('PostgreSQL is missing: apt-get install postgresql, or brew install postgresql');
  return start(t, {
    async initialize(directory) {
      const initdb = ['--auth=trust', '--username=app', '--encoding=UTF8', '--locale=C', '--no-sync', '--pgdata', join(directory, 'data')];
      await execute(join(dirname(program), 'initdb'), initdb, { ...credentials, cwd: directory });
    },
    command: (directory, port) => [program, [
      '-D', join(directory, 'data'), '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=',
      // What was written survives the death of the process all the same.
      // In its directory: segments in `/dev/shm` stay behind when the server is killed.
      '-c', 'fsync=off', '-c', 'log_min_messages=fatal', '-c', 'dynamic_shared_memory_type=mmap',
    ]],
    url: (port) => `postgres://app@127.0.0.1:${port}/postgres`,
    async ask(url) {
      const client = new pg.Client(url);
      client.on('error', () => {});
      await client.connect();
      await client.end();
    },
  });
}

function missing(advice) {
  throw new Error(advice);
}

const owner = () => [credentials.uid ?? process.getuid(), credentials.gid ?? process.getgid()];

/** The program itself: beside a link to it there need not be those that it comes with. */
function find(name, folders) {
  const path = [...process.env.PATH.split(delimiter), ...folders].map((folder) => join(folder, name)).find(existsSync);
  return path && realpathSync(path);
}

async function start(t, kind) {
  const directory = await mkdtemp(join(tmpdir(), 'regrant-database-'));
  const server = new DatabaseServer(kind, directory);
  t.after(async () => {
    await server.kill();
    server.release();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  await chown(directory, ...owner());
  await kind.initialize(directory);
  return startOnLeasedPort(server);
}

class DatabaseServer {
  /** Releases the port. */
  release = () => {};
  #kind;
  #directory;
  #process;

  constructor(kind, directory) {
    this.#kind = kind;
    this.#directory = directory;
  }

  get url() {
    return this.#kind.url(this.port);
  }

  /** Starts the server with its existing data and waits until it answers. */
  async start() {
    const log = join(this.#directory, 'log');
    const output = await open(log, 'w');
    const [program, args] = this.#kind.command(this.#directory, this.port);
    const options = { ...credentials, cwd: this.#directory, stdio: ['ignore', output.fd, output.fd] };
    const child = spawn(program, args, options);
    await once(child, 'spawn').finally(() => output.close());
    this.#process = child;
    for (const since = Date.now(); ; await sleep(ASK_EVERY)) {
      const ended = child.exitCode !== null || child.signalCode !== null;
      if (ended || Date.now() - since > READY_WITHIN) {
        throw new Error(`${program} does not answer:\n${await readFile(log, 'utf8')}`);
      }
      try {
        return await this.#kind.ask(this.url);
      } catch {
        // Not yet.
      }
    }
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

  /** Starts the server again after `kill`. As long as a process of the killed one is left, PostgreSQL refuses. */
  async restart() {
    for (const since = Date.now(); ; await sleep(ASK_EVERY)) {
      try {
        return await this.start();
      } catch (error) {
        if (Date.now() - since > READY_WITHIN) throw error;
      }
    }
  }
}
