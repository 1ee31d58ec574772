// What the core logs is not lost.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createAuth } from 'regrant';
import { SECRET, testAuth, withCode } from './support/auth.mjs';
import { startRedis } from './support/redis.mjs';

const run = promisify(execFile);

/** Makes every operation on this user's sessions one that Redis refuses. */
const spoil = (redis, user) => redis.command('SET', `regrant:u:${user}`, 'not a hash');

/** An `onLog`, what it heard, and a way to wait for the first entry with a message. */
function listener() {
  const heard = [];
  // Timers, because a listener does not keep the process alive.
  async function entry(message) {
    for (const end = Date.now() + 20_000; Date.now() < end; await setTimeout(5)) {
      const found = heard.find((known) => known.message.includes(message));
      if (found) return found;
    }
    throw new Error(`not heard: ${message}`);
  }
  return { onLog: (entry) => heard.push(entry), heard, entry };
}

test('onLog hears of a store that refuses, without the user', async (t) => {
  const redis = await startRedis(t);
  const { onLog, heard, entry } = listener();
  const auth = createAuth({ secret: SECRET, store: redis.url, onLog });
  await spoil(redis, 'user-to-look-for');
  await assert.rejects(auth.login('user-to-look-for'), withCode('ERR_STORE_UNAVAILABLE'));
  const { level, target, fields } = await entry('Redis refused an operation');
  assert.deepEqual([level, target], ['error', 'regrant::store']);
  assert.match(JSON.stringify(fields), /WRONGTYPE/);
  assert.ok(!JSON.stringify(heard).includes('user-to-look-for'));
});

test('onLog hears that the feed of logouts is lost, and with logLevel info that it is back', async (t) => {
  const redis = await startRedis(t);
  const { onLog, entry } = listener();
  const auth = createAuth({ secret: SECRET, store: redis.url, redis: { timeout: '5s' }, onLog, logLevel: 'info' });
  await auth.login('user-1');
  await redis.kill();
  const { level } = await entry('cannot read the revocation feed');
  assert.equal(level, 'warn');
  await redis.start();
  assert.equal((await entry('revocation feed recovered')).level, 'info');
  // Holds on to it: an auth object that is gone hears nothing.
  assert.equal(typeof auth.metrics(), 'string');
});

test('logLevel decides what is heard', async () => {
  const { onLog: warnings, heard, entry: warned } = listener();
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
  // The log is the process's: the objects of the tests before may still have something to say of their stores.
  const ofSessions = heard.filter(({ message }) => /^(session event|refresh token reuse)/.test(message));
  assert.deepEqual(ofSessions.map(({ level }) => level), ['warn']);
  assert.equal(talkative.auth.feedLag, 0);
});

test('a wrong onLog or logLevel is refused', () => {
  for (const [field, value] of [['onLog', 'console'], ['logLevel', 'verbose'], ['logLevel', null]]) {
    assert.throws(() => createAuth({ secret: SECRET, [field]: value }), { ...withCode('ERR_CONFIG_INVALID'), field });
  }
});

/** Fails three times, and ends once `end` was called. */
const program = (store, { options = '', ending = '' }) => `
  const { createAuth } = require('regrant');
  const alive = setInterval(() => {}, 1000);
  const end = () => clearInterval(alive);
  ${ending}
  const auth = createAuth({ secret: '${SECRET}', store: '${store}', ${options} });
  (async () => {
    for (const _ of [1, 2, 3]) await auth.login('user-1').catch((error) => console.log(error.code));
  })();
`;

const LONGEST = { timeout: 30_000, cwd: import.meta.dirname };
const refused = 'ERR_STORE_UNAVAILABLE\n'.repeat(3);

test('without onLog it is a warning of the process, once', async (t) => {
  const redis = await startRedis(t);
  await spoil(redis, 'user-1');
  const { stdout, stderr } = await run(process.execPath, ['-e', program(redis.url, { ending: "process.once('warning', end)" })], LONGEST);
  assert.equal(stdout, refused);
  assert.match(stderr, /RegrantWarning: Redis refused an operation; code: WRONGTYPE/);
  assert.equal(stderr.split('RegrantWarning').length, 2, stderr);
});

test('with onLog it is not, and the process ends all the same', async (t) => {
  const redis = await startRedis(t);
  await spoil(redis, 'user-1');
  const options = 'onLog({ level }) { if (level === "error" && (errors += 1) === 3) end(); }, logLevel: "debug"';
  const source = program(redis.url, { options, ending: 'let errors = 0' });
  const { stdout, stderr } = await run(process.execPath, ['-e', source], LONGEST);
  assert.deepEqual([stdout, stderr], [refused, '']);
});

test('worker threads share the log, and one of them warns', async (t) => {
  const redis = await startRedis(t);
  await spoil(redis, 'user-1');
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
  const { stdout, stderr } = await run(process.execPath, ['-e', workers], LONGEST);
  assert.deepEqual([stdout, stderr], ['ended 0 1\n'.repeat(3), '']);
});
