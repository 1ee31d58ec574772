// Health reports and warnings about the store.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { createAuth } from 'regrant';
import { SECRET, withCode } from './support/auth.mjs';
import { startRedis } from './support/redis.mjs';

test('health reports reachable and unreachable stores', async (t) => {
  const memory = await createAuth({ secret: SECRET, store: 'memory:' }).health();
  assert.deepEqual([memory.store, memory.ready, memory.warnings], ['memory', true, []]);
  assert.ok(memory.roundTripMs >= 0);

  const redis = await startRedis(t);
  const settings = { secret: SECRET, store: redis.url, redis: { timeout: '60s' } };
  const auth = createAuth(settings);
  const { layout, reachable, ready, servers, warnings } = await auth.health();
  assert.deepEqual([layout, reachable, ready, warnings], ['standalone', true, true, []]);
  const [{ address, evictionPolicy, persistence, role }] = servers;
  assert.deepEqual([role, persistence, evictionPolicy], ['master', 'aof', 'noeviction']);
  assert.equal(address, `127.0.0.1:${redis.port}`);

  // A report is used for a second: ask another `Auth`.
  const anew = () => createAuth(settings).health();
  await redis.command('CONFIG', 'SET', 'maxmemory', '1');
  const full = await anew();
  assert.deepEqual([full.reachable, full.ready, full.warnings.map(({ code }) => code)], [true, false, ['out_of_memory']]);

  await redis.kill();
  const away = await anew();
  assert.deepEqual([away.reachable, away.ready, away.warnings.map(({ code }) => code)], [false, false, ['unreachable']]);
});

test('an evicting server causes one process warning, or is rejected', async (t) => {
  const redis = await startRedis(t);
  await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
  const warnings = [];
  const note = (warning) => warnings.push(warning);
  process.on('warning', note);
  t.after(() => process.off('warning', note));
  const warned = once(process, 'warning');
  const auth = createAuth({ secret: SECRET, store: redis.url, redis: { timeout: '60s' } });
  await auth.login('user-1');
  await auth.login('user-2');
  await warned;
  const [{ message, name }] = warnings;
  assert.equal(name, 'RegrantWarning');
  assert.match(message, /noeviction.*allkeys-lru/);
  assert.deepEqual((await auth.health()).warnings.map(({ code: its }) => its), ['evicting_policy']);
  assert.equal(warnings.length, 1);

  // A refused login is tried again until the time-out, because the server may be configured meanwhile.
  const strict = createAuth({ secret: SECRET, store: redis.url, redis: { timeout: '2s', eviction: 'refuse' } });
  await assert.rejects(strict.login('user-1'), withCode('ERR_STORE_UNAVAILABLE'));
  await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
  for (const end = Date.now() + 60_000; ; ) {
    try {
      await strict.login('user-1');
      break;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((done) => setTimeout(done, 20));
    }
  }
});

test('an invalid store option is rejected by name, without its value', () => {
  const config = (store, redis) => () => createAuth({ secret: SECRET, store, redis });
  const named = (field) => (error) => {
    assert.equal(error.code, 'ERR_CONFIG_INVALID');
    assert.equal(error.field, field);
    assert.doesNotMatch(`${error.message} ${error.stack}`, /planted/);
    return true;
  };
  assert.throws(config('redis+sentinel://:planted@h'), named('store'));
  assert.throws(config('redis+cluster://:planted@h/1'), named('store'));
  assert.throws(config('rediss://:planted@h', { caFile: '/nonexistent' }), named('redis.caFile'));
  assert.throws(config('redis://h', { sentinel: { username: 'a' } }), named('redis.sentinel.password'));
  assert.throws(config('redis://h', { replicas: -1 }), named('redis.replicas'));
  assert.ok(config('redis+cluster://:p@[::1]:7000,b:7001')());
  assert.ok(config('redis+sentinel://a,b/m', { sentinel: { password: Buffer.from('x') }, replicaTimeout: '50ms' })());
});
