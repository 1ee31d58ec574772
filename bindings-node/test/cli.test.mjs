// `npx regrant`: the npm entry point of the command line. The tests of the core cover the commands
// themselves.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createAuth } from 'regrant';

const run = promisify(execFile);
const bin = fileURLToPath(new URL('../bin/regrant.cjs', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'regrant-cli-'));
after(() => rm(folder, { recursive: true }));

/** Runs the command and collects its output and exit status. */
function regrant(args, { input = '', env = {} } = {}) {
  const child = spawn(process.execPath, [bin, ...args], { cwd: folder, env: { PATH: process.env.PATH, ...env } });
  const outcome = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => (outcome[stream] += text));
  child.stdin.on('error', () => {}).end(input); // the command may exit without reading its input
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (status, signal) => resolve({ ...outcome, status, signal }));
  });
}

function isAccepted(auth, token) {
  try {
    return Boolean(auth.verify(token));
  } catch (error) {
    assert.equal(error.code, 'ERR_ACCESS_REVOKED');
    return false;
  }
}

/** An unsigned token whose decoded form exceeds every pipe buffer. */
function large() {
  let claim = new Array(20_000).fill(1);
  for (let depth = 0; depth < 20; depth++) claim = [claim];
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode({ alg: 'HS256', typ: 'at+jwt' })}.${encode({ claim })}.AAAA`;
}

test('results go to stdout, messages to stderr, and the exit status reports errors', async () => {
  const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  assert.deepEqual(await regrant(['--version']), { stdout: `regrant ${version}\n`, stderr: '', status: 0, signal: null });
  const wrong = await regrant(['keyz']);
  assert.equal(wrong.stdout, '');
  assert.match(wrong.stderr, /similar subcommand exists: 'keys'/);
  assert.equal(wrong.status, 2);
  const help = await regrant(['token', 'check', '--help']);
  assert.match(help.stdout, /Usage: regrant token check/);
  assert.equal(help.status, 0);
});

test('npx runs the installed command', async () => {
  const app = join(folder, 'app');
  await mkdir(join(app, 'node_modules/.bin'), { recursive: true });
  await writeFile(join(app, 'package.json'), '{ "private": true }');
  await symlink(bin, join(app, 'node_modules/.bin/regrant'));
  const { stdout } = await run('npx', ['--no', '--offline', 'regrant', 'keys', 'secret'], { cwd: app });
  assert.match(stdout, /^[\w-]{43}\n$/);
});

test('the command checks a token and revokes its session, with the secret from the environment', async () => {
  const secret = 'a secret of the tests of at least 32 bytes';
  const auth = createAuth({ secret, store: `file:${join(folder, 'sessions.db')}` });
  const { accessToken, refreshToken, sessionId } = await auth.login('user-1');
  const env = { REGRANT_SECRET: secret, REGRANT_STORE: 'file:sessions.db' };

  const access = await regrant(['token', 'check', '-', '--json'], { env, input: `Bearer ${accessToken}\n` });
  assert.equal(access.status, 0, access.stderr);
  const { accepted, kind, sessionId: seen, storeAsked } = JSON.parse(access.stdout);
  assert.deepEqual({ accepted, kind, seen, storeAsked }, { accepted: true, kind: 'access', seen: sessionId, storeAsked: true });

  // Revoking a session needs no secret and takes effect in this process.
  const ended = await regrant(['sessions', 'revoke', 'user-1', sessionId], { env: { REGRANT_STORE: env.REGRANT_STORE } });
  assert.match(ended.stdout, /1 session revoked \(administrative\)/);
  const deadline = Date.now() + 60_000;
  while (isAccepted(auth, accessToken)) {
    assert.ok(Date.now() < deadline, 'the revocation did not reach this process');
    await setTimeout(5);
  }
  const refused = await regrant(['token', 'check', '-'], { env, input: refreshToken });
  assert.match(refused.stdout, /ERR_SESSION_REVOKED/);
  assert.equal(refused.status, 1);
});

test('a slow reader gets the whole output', async () => {
  const child = spawn(process.execPath, [bin, 'token', 'decode', '-', '--json'], { cwd: folder });
  child.stdin.end(large());
  const closed = new Promise((resolve) => child.on('close', resolve));
  child.stdout.pause();
  await new Promise((resolve) => child.stdout.once('readable', resolve)); // the pipe fills up
  let text = '';
  for await (const part of child.stdout.setEncoding('utf8')) text += part;
  assert.equal(await closed, 0);
  assert.ok(text.length > 900_000, `${text.length}`);
  assert.equal(JSON.parse(text).claims.claim.flat(20).length, 20_000);
});

test('a closed stdout is not an error', async () => {
  const child = spawn(process.execPath, [bin, 'token', 'decode', '-', '--json'], { cwd: folder });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  child.stdout.destroy();
  child.stdin.end(large());
  const [status, signal] = await new Promise((resolve) => child.on('close', (...how) => resolve(how)));
  assert.deepEqual([status, signal, stderr], [0, null, '']);
});

test('SIGINT is handled by the command, not by Node.js', async () => {
  const silent = createServer(); // a store that accepts connections and never replies
  after(() => silent.close());
  await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
  await writeFile(join(folder, 'sweep.json'), '{ "migrate": {}, "redis": { "timeout": "60s" } }');
  const store = `redis://127.0.0.1:${silent.address().port}/`;
  const child = spawn(process.execPath, [bin, 'sweep', '--config', 'sweep.json', '--store', store], {
    cwd: folder,
    env: { PATH: process.env.PATH, REGRANT_SECRET: 'a secret of the tests of at least 32 bytes' },
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const ended = new Promise((resolve) => child.on('close', (...how) => resolve(how)));
  const [connection] = await once(silent, 'connection');
  child.kill('SIGINT');
  assert.deepEqual(await ended, [130, null]);
  assert.match(stderr, /run it again/);
  connection.destroy();
});
