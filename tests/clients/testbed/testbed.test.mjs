// Tests of the testbed itself: its faults and its counts.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./main.mjs', import.meta.url));

let testbed;
let control;
before(async () => {
  const env = { ...process.env, PORT: '0', GRACE: '1' };
  testbed = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: testbed.stdout })) {
    control = line.match(/http:\S+$/)?.[0];
    if (control) break;
  }
  assert.ok(control, 'the testbed prints its address');
});
after(() => testbed?.kill());

async function ask(url, method, body, token) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, ...(text && JSON.parse(text)) };
}

/** A proxy of its own with a user of its own. */
async function proxy(faults) {
  const { id, url } = await ask(`${control}/proxies`, 'POST', faults);
  const body = { email: `user-${id}@example.org`, password: 'correct horse battery' };
  const user = await ask(`${url}/mobile/signup`, 'POST', body);
  assert.equal(user.status, 201);
  const of = (what) => `${control}/proxies/${id}/${what}`;
  return {
    user,
    refresh: (refreshToken) => ask(`${url}/mobile/refresh`, 'POST', { refreshToken }),
    me: (token) => ask(`${url}/api/me`, 'GET', undefined, token),
    counts: () => ask(of('counts'), 'GET'),
    forget: () => ask(of('counts'), 'DELETE'),
    faults: (body) => ask(of('faults'), 'PUT', body),
    theft: (how) => ask(of(how), 'POST'),
  };
}

test('counts what the server saw', async () => {
  const { user, refresh, me, counts, forget } = await proxy();
  const [first, again] = [await refresh(user.refreshToken), await refresh(user.refreshToken)];
  assert.deepEqual([first.refreshToken, first.status], [again.refreshToken, 200]);
  assert.equal((await me(first.accessToken)).status, 200);
  assert.equal((await me('rubbish')).status, 401);
  await refresh('rubbish');
  const { refreshes, calls } = await counts();
  const refused = { ERR_TOKEN_MALFORMED: 1 };
  assert.deepEqual(refreshes, { arrived: 3, presented: 2, granted: 2, refused, lost: 0, held: 0 });
  assert.deepEqual(calls, { 200: 1, 401: 1 });
  await forget();
  assert.equal((await counts()).refreshes.arrived, 0);
});

test('loses answers after the server has acted', async () => {
  const { user, refresh, counts } = await proxy({ loseNext: 2 });
  await assert.rejects(refresh(user.refreshToken));
  await assert.rejects(refresh(user.refreshToken));
  assert.equal((await refresh(user.refreshToken)).status, 200);
  const { arrived, granted, lost } = (await counts()).refreshes;
  assert.deepEqual([arrived, granted, lost], [3, 3, 2]);
});

test('loses the share of them that was asked for', async () => {
  const { user, refresh, counts } = await proxy({ lose: 0.3 });
  await Promise.allSettled(Array.from({ length: 100 }, () => refresh(user.refreshToken)));
  const { lost } = (await counts()).refreshes;
  assert.ok(lost > 15 && lost < 45, `${lost} of 100`);
});

test('holds answers until they are let go', async () => {
  const { user, refresh, counts, faults } = await proxy({ hold: true });
  const answer = refresh(user.refreshToken);
  while ((await counts()).refreshes.held === 0);
  assert.equal((await counts()).refreshes.granted, 1);
  await faults({});
  assert.equal((await answer).status, 200);
});

test('cuts the proxy', async () => {
  const { user, me, faults } = await proxy();
  await faults({ cut: true });
  await assert.rejects(me(user.accessToken));
  await faults({});
  assert.equal((await me(user.accessToken)).status, 200);
});

test('reuse is detected whether the thief or the client refreshes first', async () => {
  const first = await proxy();
  assert.equal((await first.theft('steal')).status, 200);
  assert.equal((await first.refresh(first.user.refreshToken)).error.code, 'ERR_REFRESH_REUSED');

  const late = await proxy();
  const next = await late.refresh((await late.refresh(late.user.refreshToken)).refreshToken);
  assert.equal((await late.theft('replay')).code, 'ERR_REFRESH_REUSED');
  const { code, reason } = (await late.refresh(next.refreshToken)).error;
  assert.deepEqual([code, reason], ['ERR_SESSION_REVOKED', 'reused']);
});

test('a fault that there is not is refused', async () => {
  const { faults } = await proxy();
  for (const body of [{ loose: 0.3 }, { lose: 30 }, { hold: 1 }]) {
    const { status, problem } = await faults(body);
    assert.deepEqual([status, typeof problem], [400, 'string'], JSON.stringify(body));
  }
});
