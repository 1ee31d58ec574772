// The vectors of the rules of HTTP (tests/vectors/http) on regrant/http, Express 4 and 5 and Fastify.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import { test } from 'node:test';
import fastify from 'fastify';
import { TestClock, createAuth } from 'regrant';
import * as forExpress from 'regrant/express';
import * as forFastify from 'regrant/fastify';
import { authenticate, logout, refresh, requireScopes, sessions } from 'regrant/http';
import { startRedis } from './support/redis.mjs';
import { expressVersions } from './support/server.mjs';

const vectors = async (name) =>
  JSON.parse(await readFile(new URL(`../../tests/vectors/http/${name}.json`, import.meta.url), 'utf8')).cases;
const LIVE = { alice: 'alice', alice2: 'alice', bob: 'bob', carol: 'carol', reader: 'alice', brief: 'dave', dpop: 'alice' };
const ORIGIN = 'https://app.shop.example';

const NO_HTTP2 = { count: 3, matches: isHttp2, reason: 'Express does not support HTTP/2' };
const OWN_PARSER = { count: 8, matches: ({ parsed }) => parsed === false, reason: 'the routes parse bodies themselves' };
/** The cases that a surface skips, with their number and the reason. */
const SKIPPED = {
  'regrant/http': [],
  'Express 4': [NO_HTTP2],
  'Express 5': [NO_HTTP2],
  Fastify: [OWN_PARSER],
};

function isHttp2({ request }) {
  return request.headers.some(([name]) => name === ':authority');
}

/** The proof of a new key for a login (RFC 9449 §4.2). */
function loginProof(clock) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [head, claims] = [
    { typ: 'dpop+jwt', alg: 'ES256', jwk: publicKey.export({ format: 'jwk' }) },
    { jti: randomUUID(), htm: 'POST', htu: `${ORIGIN}/login`, iat: Math.floor(clock.now() / 1000) },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const signature = sign('sha256', `${head}.${claims}`, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return { proof: `${head}.${claims}.${signature.toString('base64url')}`, method: 'POST', path: '/login' };
}

/** The users, sessions and tokens that the vectors name, with the auth object of a case. */
async function makeWorld(web, { store = 'memory:', dpop = true, rotation = true } = {}) {
  const clock = new TestClock(1_800_000_000_000);
  const config = { secret: 'an access secret of at least 32 bytes', store, redis: { timeout: '60s' }, clock, refresh: { rotation } };
  const auth = createAuth({ ...config, dpop: dpop && { origin: ORIGIN }, web });
  const values = {};
  const login = async (name, user, options) => {
    const { accessToken, refreshToken, sessionId } = await auth.login(user, options);
    Object.assign(values, { [`${name}.access`]: accessToken, [`${name}.refresh`]: refreshToken, [`${name}.session`]: sessionId });
    return refreshToken;
  };
  await login('expired', 'alice');
  clock.advance(15 * 24 * 3_600_000);
  let token = await login('alice', 'alice');
  values['alice.refresh.old'] = token;
  for (const seconds of [60, 3540]) {
    token = (await auth.refresh(token, { rotate: true })).refreshToken;
    clock.advance(seconds * 1000);
  }
  const last = await auth.refresh(token);
  Object.assign(values, { 'alice.refresh': last.refreshToken, 'alice.access': last.accessToken });
  clock.advance(1000);
  await login('alice2', 'alice');
  await login('bob', 'bob');
  await login('carol', 'carol');
  await login('reader', 'alice', { claims: { scope: 'read write' } });
  await login('brief', 'dave', { persistent: false });
  if (dpop) await login('dpop', 'alice', { proof: loginProof(clock) });
  await auth.logout(await login('revoked', 'alice'));
  const other = createAuth({ ...config, secret: 'another secret of at least 32 bytes' });
  values.forged = (await other.login('alice')).accessToken;
  return { auth, values };
}

const fill = (value, values) =>
  JSON.parse(JSON.stringify(value).replaceAll(/\$\{([^}]+)\}/g, (text, name) => values[name] ?? text));

/** The answer of `regrant/http` to a request. */
async function answer(auth, { route, mount = '/auth' }, request) {
  if (route === 'refresh') return refresh(auth, request);
  if (route === 'logout') return logout(auth, request);
  const decision = await authenticate(auth, request, { optional: route === 'guard-optional' });
  if (!decision.ok) return decision.answer;
  if (route === 'sessions') {
    const { method, url } = request;
    const [, id] = new URL(url, 'http://localhost').pathname.split(`${mount}/sessions/`);
    return sessions(auth, decision.auth, { method, sessionId: id });
  }
  const permission = route === 'guard-scope' ? requireScopes(auth, decision.auth, 'read') : { ok: true };
  if (!permission.ok) return permission.answer;
  return { status: 200, headers: {}, cookies: [], body: { subject: decision.auth?.subject ?? null } };
}

/** `regrant/http`, with the request as plain data, or as `node:http2` has it. */
async function onHttp(t, auth, given) {
  if (!isHttp2(given)) {
    const { method, target, headers, https, body } = given.request;
    const merged = {};
    for (const [name, value] of headers) {
      const known = Object.keys(merged).find((one) => one.toLowerCase() === name.toLowerCase()) ?? name;
      merged[known] = known in merged ? [merged[known], value].flat() : value;
    }
    const request = { method, url: target, headers: merged, ...(https !== undefined && { secure: https }) };
    return answer(auth, given, given.parsed === false ? request : { ...request, body });
  }
  const server = http2.createServer(async (request, response) => {
    const { status, headers, cookies, body } = await answer(auth, given, request);
    response.writeHead(status, { ...headers, 'set-cookie': [...cookies] }).end(body && JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => new Promise((closed) => server.close(closed)));
  return sendHttp2(server.address().port, given.request);
}

async function onExpress(express, t, auth, given) {
  const { route, mount = '/auth', parsed = true, request } = given;
  const app = express();
  app.set('trust proxy', true);
  if (parsed) app.use(express.json());
  const guard = forExpress.authenticate(auth, { optional: route === 'guard-optional' });
  if (!route.startsWith('guard')) app.use(mount, forExpress.authRouter(auth));
  else app.use(guard, ...(route === 'guard-scope' ? [forExpress.requireScopes(auth, 'read')] : []));
  app.use((req, res) => res.json({ subject: req.auth?.subject ?? null }));
  const server = http.createServer({ requireHostHeader: false }, app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => new Promise((closed) => server.close(closed)));
  return sendHttp(server.address().port, request);
}

async function onFastify(t, auth, given) {
  const { route, mount = '/auth', request } = given;
  const app = isHttp2(given)
    ? fastify({ trustProxy: true, http2: true })
    : fastify({ trustProxy: true, http: { requireHostHeader: false } });
  if (route.startsWith('guard')) {
    const guard = forFastify.authenticate(auth, { optional: route === 'guard-optional' });
    const onRequest = route === 'guard-scope' ? [guard, forFastify.requireScopes(auth, 'read')] : guard;
    app.all('*', { onRequest }, async (passed) => ({ subject: passed.auth?.subject ?? null }));
  } else {
    app.register(forFastify.authRoutes, { auth, prefix: mount });
  }
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => app.close());
  const { port } = app.server.address();
  return isHttp2(given) ? sendHttp2(port, request) : sendHttp(port, request);
}

/** A response in the form of `answer`. */
function received(status, { 'set-cookie': cookies = [], ...headers }, text) {
  return { status, headers, cookies, body: text === '' ? undefined : JSON.parse(text) };
}

/** Sends a request over HTTP/1.1 with exactly these headers, and as a proxy does where the scheme is given. */
async function sendHttp(port, { method, target, headers, https, body }) {
  const sent = body === undefined ? '' : JSON.stringify(body);
  const isFramed = headers.some(([name]) => name === 'content-length' || name === 'transfer-encoding');
  const request = http.request({
    host: '127.0.0.1',
    port,
    method,
    path: target,
    setHost: false,
    agent: false,
    headers: [
      ...headers,
      ...(https === undefined ? [] : [['x-forwarded-proto', https ? 'https' : 'http']]),
      ['connection', headers.some(([name]) => name === 'upgrade') ? 'upgrade' : 'close'],
      ...(method === 'GET' || isFramed ? [] : [['content-length', String(Buffer.byteLength(sent))]]),
    ].flat(),
  });
  request.end(sent);
  const [response] = await once(request, 'response');
  const text = (await response.setEncoding('utf8').toArray()).join('');
  return received(response.statusCode, response.headers, text);
}

/** Sends a request without a body over HTTP/2. */
async function sendHttp2(port, { method, target, headers }) {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const stream = session.request({ ...Object.fromEntries(headers), ':method': method, ':path': target });
  const [{ ':status': status, ...fields }] = await once(stream, 'response');
  const text = (await stream.setEncoding('utf8').toArray()).join('');
  session.close();
  return received(status, fields, text);
}

const SURFACES = {
  'regrant/http': onHttp,
  ...Object.fromEntries(expressVersions.map(({ name, express }) => [name, onExpress.bind(null, express)])),
  Fastify: onFastify,
};

function parseCookie(text) {
  const [pair, ...attributes] = text.split('; ');
  return { name: pair.split('=')[0], attributes: Object.fromEntries(attributes.map((part) => part.split(/=(.*)/s).slice(0, 2))) };
}

const files = ['credentials', 'origins', 'refresh', 'logout', 'sessions'];
const cases = (await Promise.all(files.map(async (file) => (await vectors(file)).map((one) => ({ file, ...one }))))).flat();

for (const [surface, send] of Object.entries(SURFACES)) {
  test(`${surface}: only known cases are skipped`, () => {
    for (const { count, matches, reason } of SKIPPED[surface]) assert.equal(cases.filter(matches).length, count, reason);
  });

  for (const { file, ...one } of cases) {
    const skip = SKIPPED[surface].find(({ matches }) => matches(one))?.reason ?? false;
    test(`${surface}: ${file}: ${one.name}`, { skip }, async (t) => {
      const redis = one.store === 'unavailable' ? await startRedis(t) : undefined;
      const { auth, values } = await makeWorld(one.web, { store: redis?.url, dpop: one.dpop, rotation: one.rotation });
      const { expect, ...given } = fill(one, values);
      await redis?.kill();
      const reply = await send(t, auth, given);
      const body = JSON.parse(JSON.stringify(reply.body ?? {}));
      const seen = (name) => Object.entries(reply.headers).find(([key]) => key.toLowerCase() === name)?.[1];
      assert.equal(reply.status, expect.status, JSON.stringify(body));
      if (expect.status === 405 && !expect.headers) assert.equal(seen('allow'), 'POST');
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
      const { path = '/auth', domain } = given.web ?? {};
      for (const kept of expect.kept ?? []) {
        const own = ({ name, attributes }) => name === kept && attributes.Path === path && attributes.Domain === domain;
        assert.equal(cookies.find(own), undefined, `${kept} is kept`);
      }
      if (redis) return;
      const over = [];
      for (const [name, user] of Object.entries(LIVE)) {
        if (!(`${name}.session` in values)) continue;
        const found = (await auth.sessions(user)).find(({ sessionId }) => sessionId === values[`${name}.session`]);
        if (found?.state !== 'live') over.push(name);
      }
      assert.deepEqual(over.sort(), (expect.sessionsOver ?? []).sort());
    });
  }
}

for (const { name, web, field } of await vectors('policies')) {
  test(`policies: ${name}`, async () => {
    await assert.rejects(makeWorld(web), { code: 'ERR_CONFIG_INVALID', field: `web.${field}` });
  });
}
