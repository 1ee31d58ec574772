// Metrics as Prometheus text and as objects. The counters are global to the process, so the tests
// compare values before and after.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createAuth } from 'regrant';
import { SECRET, testAuth, withCode } from './support/auth.mjs';

/** Strictly parses the text format 0.0.4: name{labels} → value, and name → type. */
function parse(page) {
  const [values, types, helps] = [new Map(), new Map(), new Map()];
  assert.ok(page.endsWith('\n'));
  for (const line of page.slice(0, -1).split('\n')) {
    const [, help, name, text] = /^# (HELP|TYPE) (\w+) (.+)$/.exec(line) ?? [];
    if (help !== undefined) {
      const known = help === 'HELP' ? helps : types;
      assert.ok(!known.has(name), line);
      known.set(name, text);
      continue;
    }
    const label = '[a-z_]+="[^"\\\\\\n]*"';
    const [, series, family, value] = new RegExp(`^((\\w+)(?:\\{${label}(?:,${label})*\\})?) (\\S+)$`).exec(line) ?? [];
    assert.ok(series !== undefined, `invalid line: ${line}`);
    assert.ok(!values.has(series), `duplicate series: ${series}`);
    assert.ok(types.has(family.replace(/_(bucket|sum|count)$/, '')) || types.has(family), `${family} has no type`);
    assert.ok(Number.isFinite(Number(value)), line);
    values.set(series, Number(value));
  }
  assert.deepEqual([...types.keys()], [...helps.keys()]);
  return { values, types };
}

const read = (auth) => {
  const { values } = parse(auth.metrics());
  return (series) => values.get(series) ?? 0;
};

const refreshes = (outcome) => `regrant_refreshes_total{outcome="${outcome}"}`;

test('logins, refreshes and reuse are counted', async () => {
  const { auth, clock } = testAuth();
  const before = read(auth);
  const pair = await auth.login('user-1');
  const next = await auth.refresh(pair.refreshToken);
  await auth.refresh(pair.refreshToken);
  await auth.refresh(next.refreshToken);
  clock.advance(60_000);
  await assert.rejects(auth.refresh(pair.refreshToken), withCode('ERR_REFRESH_REUSED'));
  const after = read(auth);
  const added = (series) => after(series) - before(series);
  assert.equal(added('regrant_logins_total{outcome="issued"}'), 1);
  assert.equal(added(refreshes('issued')), 2);
  assert.equal(added(refreshes('reissued')), 1);
  assert.equal(added(refreshes('reused')), 1);
  assert.equal(added('regrant_thefts_total{how="older_token"}'), 1);
  assert.equal(added('regrant_sessions_revoked_total{reason="reused"}'), 1);
  assert.equal(after('regrant_deny_list_entries'), 1);
  assert.equal(after('regrant_revocation_feed_lag_seconds'), 0);
});

test('durations are histograms with cumulative buckets', async () => {
  const { auth } = testAuth();
  const pair = await auth.login('user-1');
  const before = read(auth);
  await auth.refresh(pair.refreshToken);
  const { values, types } = parse(auth.metrics());
  assert.equal(types.get('regrant_refresh_seconds'), 'histogram');
  const buckets = [...values].filter(([series]) => series.startsWith('regrant_refresh_seconds_bucket'));
  const bounds = buckets.map(([series]) => /le="([^"]+)"/.exec(series)[1]);
  assert.equal(bounds.at(-1), '+Inf');
  assert.deepEqual(bounds.slice(0, -1).map(Number), bounds.slice(0, -1).map(Number).sort((a, b) => a - b));
  const counts = buckets.map(([, count]) => count);
  assert.deepEqual(counts, [...counts].sort((a, b) => a - b));
  assert.equal(counts.at(-1), values.get('regrant_refresh_seconds_count'));
  assert.equal(counts.at(-1), before('regrant_refresh_seconds_count') + 1);
  assert.ok(values.get('regrant_refresh_seconds_sum') > before('regrant_refresh_seconds_sum'));
  const series = 'regrant_store_operation_seconds_count{operation="refresh",outcome="ok"}';
  assert.equal(values.get(series), before(series) + 1);
});

test('counters exist with the value 0 before the first event', () => {
  const { values } = parse(testAuth().auth.metrics());
  assert.equal(values.get(refreshes('store_error')), 0);
  assert.equal(values.get('regrant_sightings_dropped_total'), 0);
});

test('metricsSnapshot has the same values as metrics', async () => {
  const { auth } = testAuth();
  await auth.refresh((await auth.login('user-1')).refreshToken);
  const series = (name, labels) => {
    const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
  };
  const values = new Map();
  for (const metric of auth.metricsSnapshot()) {
    assert.ok(metric.help.length > 0);
    for (const value of metric.values) {
      if (metric.type !== 'histogram') {
        values.set(series(metric.name, value.labels), value.value);
        continue;
      }
      for (const { le, count } of [...value.buckets, { le: '+Inf', count: value.count }]) {
        values.set(series(`${metric.name}_bucket`, { ...value.labels, le: String(le).replace('5e-5', '0.00005') }), count);
      }
      values.set(series(`${metric.name}_sum`, value.labels), value.sum);
      values.set(series(`${metric.name}_count`, value.labels), value.count);
    }
  }
  assert.deepEqual(values, parse(auth.metrics()).values);
});

test('worker threads share the metrics of the process', async () => {
  const { auth } = testAuth();
  const before = read(auth);
  const program = `
    const { createAuth } = require('regrant');
    createAuth({ secret: ${JSON.stringify(SECRET)}, store: 'memory:' }).login('user-1');
  `;
  const [code] = await once(new Worker(program, { eval: true }), 'exit');
  assert.equal(code, 0);
  const issued = 'regrant_logins_total{outcome="issued"}';
  assert.equal(read(auth)(issued), before(issued) + 1);
});

test('every metric is documented', async () => {
  const page = await readFile(new URL('../docs/observability.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `(regrant_\w+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(documented, testAuth().auth.metricsSnapshot().map(({ name }) => name));
});

test('metrics contain no user, session or token', async () => {
  const auth = createAuth({ secret: SECRET, store: 'memory:' });
  const pair = await auth.login('a-user-to-look-for');
  await auth.logout(pair.refreshToken);
  const said = auth.metrics() + JSON.stringify(auth.metricsSnapshot());
  for (const secret of ['a-user-to-look-for', pair.sessionId, pair.accessToken, pair.refreshToken]) {
    assert.ok(secret.length > 10);
    assert.ok(!said.includes(secret));
  }
});
