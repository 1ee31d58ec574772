// Log entries of the core: onLog, logLevel and process warnings.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createAuth } from 'regrant';
import { SECRET, testAuth, withCode } from './support/auth.mjs';
import { startRedis } from './support/redis.mjs';

const run = promisify(execFile);

/** Makes Redis reject every operation on this user's sessions (WRONGTYPE). */
const corrupt = (redis, user) => redis.command('SET', `regrant:u:${user}`, 'not a hash');

/** An `onLog`, its recorded entries, and a function that waits for the first entry with a message. */
function listener() {
  const entries = [];
  // Polls with timers because `onLog` does not keep the process alive.
  async function entry(message) {
    for (const end = Date.now() + 60_000; Date.now() < end; await setTimeout(5)) {
      const found = entries.find((known) => known.message.includes(message));
      if (found) return found;
    }
    throw new Error(`no log entry: ${message}`);
  }
  return { onLog: (entry) => entries.push(entry), entries, entry };
}

test('onLog gets store errors, without the user', async (t) => {
  const redis = await startRedis(t);
  const { onLog, entries, entry } = listener();
  const auth = createAuth({ secret: SECRET, store: redis.url, redis: { timeout: '60s' }, onLog });
  await corrupt(redis, 'user-to-look-for');
  await assert.rejects(auth.login('user-to-look-for'), withCode('ERR_STORE_UNAVAILABLE'));
  const { level, target, fields } = await entry('Redis refused an operation');
  assert.deepEqual([level, target], ['error', 'regrant::store']);
  assert.match(JSON.stringify(fields), /WRONGTYPE/);
  assert.ok(!JSON.stringify(entries).includes('user-to-look-for'));
});

test('onLog gets the loss of the revocation feed, and with logLevel info its recovery', async (t) => {
  const redis = await startRedis(t);
  const { onLog, entry } = listener();
  const auth = createAuth({ secret: SECRET, store: redis.url, redis: { timeout: '60s' }, onLog, logLevel: 'info' });
  await auth.login('user-1');
  await redis.kill();
  const { level } = await entry('cannot read the revocation feed');
  assert.equal(level, 'warn');
  await redis.start();
  assert.equal((await entry('revocation feed recovered')).level, 'info');
  // Keeps the auth object reachable: a collected one logs nothing.
  assert.equal(typeof auth.metrics(), 'string');
});

test('logLevel filters the entries', async () => {
  const { onLog: warnings, entries, entry: warned } = listener();
  const { onLog: everything, entry } = listener();
  const quiet = testAuth({ onLog: warnings });
  const talkative = testAuth({ onLog: everything, logLevel: 'debug' });
  const pair = await quiet.auth.login('user-1');
  const { fields } = await entry('session event');
  assert.deepEqual([fields.event, fields.subject, fields.session], ['login', 'user-1', pair.sessionId]);
  quiet.clock.advance(60_000);
  const next = await quiet.auth.refresh(pair.refreshToken);
  await quiet.auth.refresh(next.refreshToken);
  quiet.clock.advance(60_000);
  await assert.rejects(quiet.auth.refresh(pair.refreshToken), withCode('ERR_REFRESH_REUSED'));
  assert.equal((await warned('refresh token reuse detected, session revoked')).level, 'warn');
  // The log is global to the process: auth objects of earlier tests may still log store errors.
  const ofSessions = entries.filter(({ message }) => /^(session event|refresh token reuse)/.test(message));
  assert.deepEqual(ofSessions.map(({ level }) => level), ['warn']);
  assert.equal(talkative.auth.feedLag, 0);
});

test('an invalid onLog or logLevel is rejected', () => {
  for (const [field, value] of [['onLog', 'console'], ['logLevel', 'verbose'], ['logLevel', null]]) {
    assert.throws(() => createAuth({ secret: SECRET, [field]: value }), { ...withCode('ERR_CONFIG_INVALID'), field });
  }
});

/** A program whose logins fail three times, and that exits after a call of `end`. */
const program = (store, { options = '', ending = '' }) => `
  const { createAuth } = require('regrant');
  const alive = setInterval(() => {}, 1000);
  const end = () => clearInterval(alive);
  ${ending}
  const auth = createAuth({ secret: '${SECRET}', store: '${store}', redis: { timeout: '60s' }, ${options} });
  (async () => {
    for (const _ of [1, 2, 3]) await auth.login('user-1').catch((error) => console.log(error.code));
  })();
`;

const OPTIONS = { timeout: 120_000, cwd: import.meta.dirname };
const refused = 'ERR_STORE_UNAVAILABLE\n'.repeat(3);

test('without onLog, an error emits one process warning', async (t) => {
  const redis = await startRedis(t);
  await corrupt(redis, 'user-1');
  const { stdout, stderr } = await run(process.execPath, ['-e', program(redis.url, { ending: "process.once('warning', end)" })], OPTIONS);
  assert.equal(stdout, refused);
  assert.match(stderr, /RegrantWarning: Redis refused an operation; code: WRONGTYPE/);
  assert.equal(stderr.split('RegrantWarning').length, 2, stderr);
});

test('with onLog, no warning is emitted, and the process exits', async (t) => {
  const redis = await startRedis(t);
  await corrupt(redis, 'user-1');
  const options = 'onLog({ level }) { if (level === "error" && (errors += 1) === 3) end(); }, logLevel: "debug"';
  const source = program(redis.url, { options, ending: 'let errors = 0' });
  const { stdout, stderr } = await run(process.execPath, ['-e', source], OPTIONS);
  assert.deepEqual([stdout, stderr], [refused, '']);
});

test('worker threads share the log, and only one emits the warning', async (t) => {
  const redis = await startRedis(t);
  await corrupt(redis, 'user-1');
  const workers = `
    const { Worker } = require('node:worker_threads');
    const source = ${JSON.stringify(program(redis.url, { ending: "require('node:worker_threads').parentPort.once('message', end)" }))};
    const all = [1, 2, 3].map(() => new Worker(source, { eval: true, stdout: true, stderr: true }));
    let [refusals, warning] = ['', ''];
    const look = () => {
      if (refusals.split('ERR_STORE_UNAVAILABLE').length === 10 && warning.includes('RegrantWarning: Redis refused')) {
        for (const worker of all) worker.postMessage('end');
      }
    };
    for (const worker of all) {
      worker.stdout.on('data', (text) => look(refusals += text));
      worker.stderr.on('data', (text) => look(warning += text));
      worker.once('exit', (code) => console.log('ended', code, warning.split('RegrantWarning').length - 1));
    }
  `;
  const { stdout, stderr } = await run(process.execPath, ['-e', workers], OPTIONS);
  assert.deepEqual([stdout, stderr], ['ended 0 1\n'.repeat(3), '']);
});
