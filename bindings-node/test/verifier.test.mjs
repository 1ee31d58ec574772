// Verification of another service's tokens, with an issuer that publishes its JWKS over HTTP.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fastify from 'fastify';
import { TestClock, createAuth, createVerifier } from 'regrant';
import { authenticate, jwksHandler } from 'regrant/express';
import * as forFastify from 'regrant/fastify';
import { authenticate as decide, jwksAnswer } from 'regrant/http';
import { SECRET, START, testAuth, withCode } from './support/auth.mjs';
import { expressVersions, serve } from './support/server.mjs';

const [{ express }] = expressVersions;
const ISSUER = 'https://auth.example';
const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });

function keyPair(kid) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pem = (key, type) => key.export({ type, format: 'pem' });
  return { kid, privateKey: pem(privateKey, 'pkcs8'), publicKey: pem(publicKey, 'spki'), jwk: publicKey.export({ format: 'jwk' }) };
}

const [ONE, TWO] = [keyPair('one'), keyPair('two')];

/** An auth object that signs with the first key and publishes all keys. */
function issuerWith(clock, ...keys) {
  const [active, ...others] = keys.map(({ kid, privateKey }) => ({ alg: 'EdDSA', kid, privateKey }));
  return createAuth({
    keys: [{ ...active, active: true }, ...others],
    refreshSecret: SECRET,
    access: { issuer: ISSUER, audience: ['orders', 'bills'], ttl: '1h' },
    store: 'memory:',
    clock,
  });
}

/** An issuer on a real port. Tests replace `auth` to rotate keys; `jwksRequests` counts JWKS requests. */
async function startIssuer(t, clock) {
  const issuer = { auth: issuerWith(clock, ONE), jwksRequests: 0, down: false };
  const app = express();
  app.get('/jwks.json', (req, res, next) => {
    issuer.jwksRequests += 1;
    if (issuer.down) return res.status(503).end();
    return jwksHandler(issuer.auth, { maxAge: 60 })(req, res, next);
  });
  app.get('/elsewhere', (_req, res) => res.redirect('/jwks.json'));
  const { origin } = await serve(t, app);
  issuer.url = `${origin}/jwks.json`;
  issuer.token = async (subject = 'user-1') => (await issuer.auth.login(subject)).accessToken;
  return issuer;
}

function verifierOf(issuer, clock, more = {}) {
  return createVerifier({ issuers: [{ issuer: ISSUER, audience: 'orders', jwksUri: issuer.url }], clock, ...more });
}

test('a service verifies tokens of the issuer and fetches the JWKS once', async (t) => {
  const clock = new TestClock(START);
  const issuer = await startIssuer(t, clock);
  // Ignores the log: the last fetch may fail because the issuer has stopped.
  const verifier = verifierOf(issuer, clock, { onLog: () => {} });
  const token = await issuer.token();
  assert.throws(() => verifier.verifyAccess(token), withCode('ERR_KEYS_UNAVAILABLE'));
  const all = await Promise.all(Array.from({ length: 50 }, () => verifier.verifyAccessAsync(token)));
  for (const { subject, claims } of all) assert.deepEqual([subject, claims.iss], ['user-1', ISSUER]);
  assert.equal(verifier.verifyAccess(token).subject, 'user-1');
  assert.equal((await verifier.verifyBearerAsync(`Bearer ${token}`)).subject, 'user-1');
  assert.equal(issuer.jwksRequests, 1);
  await assert.rejects(verifier.verifyAccessAsync(undefined), withCode('ERR_TOKEN_MISSING'));
  await assert.rejects(verifier.verifyBearerAsync(undefined), withCode('ERR_TOKEN_MISSING'));
  await assert.rejects(verifier.verifyAccessAsync(`${token}x`), withCode('ERR_TOKEN_MALFORMED'));
  clock.advance(3_600_000);
  await assert.rejects(verifier.verifyAccessAsync(token), withCode('ERR_TOKEN_EXPIRED'));
});

test('key rotation rejects no valid token', async (t) => {
  const clock = new TestClock(START);
  const issuer = await startIssuer(t, clock);
  const verifier = verifierOf(issuer, clock);
  const tokens = [await issuer.token()];
  const allPass = async () => {
    for (const token of tokens) assert.equal((await verifier.verifyAccessAsync(token)).subject, 'user-1');
  };
  await allPass();
  // The new key is published first, then it signs and the old key only verifies.
  for (const keys of [[ONE, TWO], [TWO, ONE]]) {
    issuer.auth = issuerWith(clock, ...keys);
    tokens.push(await issuer.token());
    await allPass();
    clock.advance(61_000);
    tokens.push(await issuer.token());
    await allPass();
  }
  // The old key is removed: its tokens are rejected after the next JWKS fetch.
  issuer.auth = issuerWith(clock, TWO);
  clock.advance(61_000);
  const deadline = Date.now() + 60_000;
  for (;;) {
    const outcome = await verifier.verifyAccessAsync(tokens[0]).then(() => 'passed', ({ code }) => code);
    if (outcome === 'ERR_KEY_NOT_FOUND') break;
    assert.equal(outcome, 'passed');
    assert.ok(Date.now() < deadline, 'the removed key is still accepted');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal((await verifier.verifyAccessAsync(tokens.at(-1))).subject, 'user-1');
});

test('an unknown kid causes at most one JWKS fetch per cooldown', async (t) => {
  const clock = new TestClock(START);
  const issuer = await startIssuer(t, clock);
  const verifier = verifierOf(issuer, clock, { keySets: { refetchCooldown: '20s' } });
  await verifier.ready();
  clock.advance(20_000);
  const stranger = issuerWith(clock, keyPair('three'));
  const forged = (await stranger.login('admin')).accessToken;
  for (let round = 0; round < 100; round += 1) await assert.rejects(verifier.verifyAccessAsync(forged), withCode('ERR_KEY_NOT_FOUND'));
  assert.equal(issuer.jwksRequests, 2);
});

test('an unavailable issuer gives 503 with advice to retry, and recovers', async (t) => {
  const clock = new TestClock(START);
  const issuer = await startIssuer(t, clock);
  const entries = [];
  const verifier = verifierOf(issuer, clock, { onLog: (entry) => entries.push(entry) });
  const app = express();
  app.get('/orders', authenticate(verifier), (req, res) => res.json({ subject: req.auth.subject }));
  const call = await serve(t, app);
  const token = await issuer.token();
  issuer.down = true;
  const refused = await call('/orders', bearer(token));
  assert.equal(refused.status, 503);
  assert.deepEqual((await refused.json()).error.advice, 'retry');
  await assert.rejects(verifier.ready(), (error) => error.code === 'ERR_KEYS_UNAVAILABLE' && /status 503/.test(error.cause.message));
  // Entries arrive in a later turn.
  while (!entries.some(({ level, fields }) => level === 'warn' && fields.error === 'status 503')) await new Promise(setImmediate);
  issuer.down = false;
  clock.advance(30_000);
  assert.deepEqual(await (await call('/orders', bearer(token))).json(), { subject: 'user-1' });
  assert.equal((await call('/orders')).status, 401);
  assert.equal((await call('/orders', bearer('rubbish'))).status, 401);
});

test('the middleware of every framework accepts a verifier', async (t) => {
  const clock = new TestClock(START);
  const verifier = createVerifier({ issuers: [{ issuer: ISSUER, audience: 'bills', jwks: issuerWith(clock, ONE).jwks() }], clock });
  const token = (await issuerWith(clock, ONE).login('user-1')).accessToken;
  for (const { express: version } of expressVersions) {
    const app = version();
    app.get('/', authenticate(verifier, { loadUser: (id) => ({ id }) }), (req, res) => res.json(res.locals.user));
    assert.deepEqual(await (await (await serve(t, app))('/', bearer(token))).json(), { id: 'user-1' });
  }
  const app = fastify();
  t.after(() => app.close());
  app.get('/', { onRequest: forFastify.authenticate(verifier) }, async (request) => request.auth.subject);
  assert.equal((await app.inject({ url: '/', ...bearer(token) })).body, 'user-1');
  assert.equal((await app.inject({ url: '/' })).statusCode, 401);
  const request = { headers: { authorization: `Bearer ${token}` } };
  assert.equal((await decide(verifier, request)).auth.subject, 'user-1');
  await assert.rejects(decide(verifier, request, { whenStale: 'ask' }), { ...withCode('ERR_ARGUMENT_INVALID'), field: 'whenStale' });
});

test('web: the access cookie of another service, and several of one name', async () => {
  const clock = new TestClock(START);
  const issuers = [{ issuer: ISSUER, audience: 'bills', jwks: issuerWith(clock, ONE).jwks() }];
  const verifier = createVerifier({ issuers, clock, web: { accessCookie: 'at', allowedOrigins: ['https://app.example'] } });
  const token = async (user) => (await issuerWith(clock, ONE).login(user)).accessToken;
  const [first, other] = [await token('user-1'), await token('user-2')];
  clock.advance(1000);
  const second = await token('user-1');
  const ask = (tokens, more = {}) => {
    const cookie = tokens.map((one) => `at=${one}`).join('; ');
    return decide(verifier, { method: 'GET', headers: { host: 'bills.example', cookie, ...more } });
  };
  for (const tokens of [[first], [first, second], ['junk', first]]) {
    assert.equal((await ask(tokens)).auth.subject, 'user-1', String(tokens.length));
  }
  const { error, answer } = await ask([first, other]);
  assert.equal(error.code, 'ERR_SUBJECT_MISMATCH');
  assert.ok(answer.cookies.length > 0 && answer.cookies.every((text) => text.startsWith('at=;')));
  assert.ok(!answer.cookies.some((text) => /Path=\/(;|$)/.test(text) && !text.includes('Domain')), 'its own stays');
  assert.equal((await ask([])).error.advice, 'refresh');
  for (const [web, field] of [[{ path: '/' }, 'web.path'], [{ refreshCookie: true }, 'web.refreshCookie'], [{ accessCookie: 'a b' }, 'web.accessCookie']]) {
    assert.throws(() => createVerifier({ issuers, web }), { ...withCode('ERR_CONFIG_INVALID'), field });
  }
});

test('each of several issuers has its own keys and audience', async () => {
  const clock = new TestClock(START);
  const shared = 'a secret that two services share, long';
  const verifier = createVerifier({
    clock,
    issuers: [
      { issuer: ISSUER, audience: 'orders', keys: [{ alg: 'EdDSA', kid: 'one', publicKey: ONE.publicKey }] },
      { issuer: 'https://partner.example', audience: 'partners', jwks: JSON.stringify({ keys: [{ ...TWO.jwk, kid: 'two' }] }) },
      { issuer: 'inner', keys: [{ alg: 'HS256', secret: shared }], subjectClaim: 'userId', legacy: true },
    ],
  });
  const signed = async (config, claims) => (await createAuth({ store: 'memory:', clock, refreshSecret: SECRET, ...config }).login('7', { claims })).accessToken;
  const by = ({ privateKey, kid }) => [{ alg: 'EdDSA', kid, privateKey }];
  const ours = await signed({ keys: by(ONE), access: { issuer: ISSUER, audience: 'orders' } });
  const theirs = await signed({ keys: by(TWO), access: { issuer: 'https://partner.example', audience: 'partners' } });
  const inner = await signed({ secret: shared, access: { issuer: 'inner', subjectClaim: 'userId' } });
  for (const token of [ours, theirs, inner]) assert.equal((await verifier.verifyAccessAsync(token)).subject, '7');
  for (const [config, code] of [
    [{ keys: by(TWO), access: { issuer: ISSUER, audience: 'orders' } }, 'ERR_KEY_NOT_FOUND'],
    [{ keys: by(ONE), access: { issuer: ISSUER, audience: 'partners' } }, 'ERR_AUDIENCE_MISMATCH'],
    [{ keys: by(ONE), access: { issuer: 'https://evil.example', audience: 'orders' } }, 'ERR_ISSUER_MISMATCH'],
    [{ secret: shared, access: { issuer: ISSUER, audience: 'orders' } }, 'ERR_ALG_NOT_ALLOWED'],
  ]) {
    await assert.rejects(verifier.verifyAccessAsync(await signed(config)), withCode(code));
  }
});

test('a custom fetch is used, and invalid responses are reported', async (t) => {
  const clock = new TestClock(START);
  const issuer = await startIssuer(t, clock);
  const seen = [];
  const mine = (url, init) => {
    seen.push([url, init.redirect]);
    return fetch(issuer.url, init);
  };
  const far = { issuer: ISSUER, audience: 'orders', jwksUri: 'https://auth.example/keys' };
  const verifier = createVerifier({ issuers: [far], clock, fetch: mine });
  assert.equal((await verifier.verifyAccessAsync(await issuer.token())).subject, 'user-1');
  assert.deepEqual(seen, [['https://auth.example/keys', 'error']]);
  for (const [answer, problem] of [
    [() => { throw new Error('no way'); }, /no way/],
    [async () => { throw new TypeError('fetch failed', { cause: new Error('refused') }); }, /fetch failed: refused/],
    [async () => undefined, /undefined/],
    [async () => new Response('{}'), /no array/],
    [async () => new Response('x'.repeat(600_000)), /too long/],
    [async () => new Response(new Uint8Array([0xff])), /./],
    [async () => new Response(JSON.stringify(issuer.auth.jwks()), { status: 201 }), /status 201/],
  ]) {
    const one = createVerifier({ issuers: [far], clock, fetch: answer, onLog: () => {} });
    await assert.rejects(one.ready(), (error) => error.code === 'ERR_KEYS_UNAVAILABLE' && problem.test(error.cause.message));
  }
  const redirected = createVerifier({
    issuers: [{ ...far, jwksUri: new URL('/elsewhere', issuer.url).href }], clock, onLog: () => {},
  });
  await assert.rejects(redirected.ready(), withCode('ERR_KEYS_UNAVAILABLE'));
});

test('allowInsecureRequests accepts a jwksUri with http on any host', async (t) => {
  const clock = new TestClock(START);
  const issuer = await startIssuer(t, clock);
  const seen = [];
  const mine = (url, init) => {
    seen.push(url);
    return fetch(issuer.url, init);
  };
  const inside = { issuer: ISSUER, audience: 'orders', jwksUri: 'http://auth:3000/keys' };
  assert.throws(() => createVerifier({ issuers: [inside] }), /allowInsecureRequests/);
  const verifier = createVerifier({ issuers: [{ ...inside, allowInsecureRequests: true }], clock, fetch: mine });
  assert.equal((await verifier.verifyAccessAsync(await issuer.token())).subject, 'user-1');
  assert.deepEqual(seen, [inside.jwksUri]);
});

test('keys of a configured JWK Set that cannot be used are logged', async () => {
  const entries = [];
  const jwks = { keys: [{ kty: 'EC', crv: 'P-521', kid: 'later' }, { ...ONE.jwk, kid: 'one key\n' }] };
  const verifier = createVerifier({ issuers: [{ issuer: ISSUER, jwks }], onLog: (entry) => entries.push(entry) });
  // Entries arrive in a later turn.
  while (entries.length === 0) await new Promise(setImmediate);
  assert.deepEqual(entries.map(({ level, fields }) => [level, fields.issuer, fields.index, fields.reason]), [
    ['warn', ISSUER, 0, 'it is of a kind that is not supported'],
  ]);
  assert.ok(verifier);
});

test('an invalid configuration is rejected with the path of the field', () => {
  const issuer = { issuer: ISSUER, audience: 'orders' };
  const url = 'https://auth.example/keys';
  for (const [config, field] of [
    [undefined, /issuers|config/],
    [{}, /issuers|config/],
    [{ issuers: [] }, /^issuers$/],
    [{ issuers: [issuer] }, /^issuers\[0\]$/],
    [{ issuers: [{ ...issuer, jwksUri: url, jwks: { keys: [] } }] }, /^issuers\[0\]$/],
    [{ issuers: [{ ...issuer, jwksUri: 'http://auth.example/keys' }] }, /^issuers\[0\]\.jwksUri$/],
    [{ issuers: [{ ...issuer, jwksUri: 'ftp://auth.example/keys', allowInsecureRequests: true }] }, /^issuers\[0\]\.jwksUri$/],
    [{ issuers: [{ ...issuer, jwks: { keys: [ONE.jwk] }, allowInsecureRequests: true }] }, /^issuers\[0\]\.allowInsecureRequests$/],
    [{ issuers: [{ ...issuer, jwksUri: 'keys' }] }, /^issuers\[0\]\.jwksUri$/],
    [{ issuers: [{ ...issuer, jwksUri: url, rsaAlgorithm: 'ES256' }] }, /^issuers\[0\]\.rsaAlgorithm$/],
    [{ issuers: [{ ...issuer, jwksUri: url, leeway: '1h' }] }, /^issuers\[0\]\.leeway$/],
    [{ issuers: [{ ...issuer, jwksUri: url, ttl: '1h' }] }, /^issuers\[0\]\.ttl$/],
    [{ issuers: [{ ...issuer, jwks: { keys: [{ kty: 'oct', k: 'AA' }] } }] }, /^issuers\[0\]\.jwks$/],
    [{ issuers: [{ ...issuer, keys: [{ alg: 'EdDSA', publicKey: 'x' }] }] }, /^issuers\[0\]\.keys\[0\]\.publicKey$/],
    [{ issuers: [{ ...issuer, jwksUri: url }, { ...issuer, jwksUri: url }] }, /^issuers$/],
    [{ issuers: [{ ...issuer, jwksUri: url }], keySets: { refetchCooldown: 0 } }, /^keySets\.refetchCooldown$/],
    [{ issuers: [{ ...issuer, jwksUri: url }], fetch: 1 }, /^fetch$/],
    [{ issuers: [{ ...issuer, jwksUri: url }], clock: {} }, /^clock$/],
  ]) {
    assert.throws(() => createVerifier(config), (error) => error.code === 'ERR_CONFIG_INVALID' && field.test(error.field), String(field));
  }
});

test('jwksHandler publishes public keys only, with cache headers', async (t) => {
  const clock = new TestClock(START);
  const auth = issuerWith(clock, ONE, TWO);
  assert.deepEqual(auth.jwks().keys.map(({ kid, alg, use, x }) => [kid, alg, use, x]), [
    ['one', 'EdDSA', 'sig', ONE.jwk.x],
    ['two', 'EdDSA', 'sig', TWO.jwk.x],
  ]);
  assert.doesNotMatch(JSON.stringify(auth.jwks()), /"d"/);
  assert.deepEqual(testAuth().auth.jwks(), { keys: [] });
  const plugin = fastify();
  t.after(() => plugin.close());
  plugin.get('/jwks', forFastify.jwksHandler(auth));
  const answers = [async (headers) => {
    const { statusCode: status, headers: got, body } = await plugin.inject({ url: '/jwks', headers });
    return { status, header: (name) => got[name] ?? null, body };
  }];
  for (const { express: version } of expressVersions) {
    const app = version();
    app.get('/jwks', jwksHandler(auth));
    const call = await serve(t, app);
    answers.push(async (headers) => {
      const response = await call('/jwks', { headers });
      return { status: response.status, header: (name) => response.headers.get(name), body: await response.text() };
    });
  }
  for (const ask of answers) {
    const first = await ask({});
    assert.equal(first.status, 200);
    assert.match(first.header('content-type'), /^application\/jwk-set\+json/);
    assert.equal(first.header('cache-control'), 'public, max-age=300');
    assert.deepEqual(JSON.parse(first.body), auth.jwks());
    const again = await ask({ 'if-none-match': `"other", W/${first.header('etag')}` });
    assert.deepEqual([again.status, again.body, again.header('etag')], [304, '', first.header('etag')]);
    assert.equal((await ask({ 'if-none-match': '"other"' })).status, 200);
  }
  assert.equal(jwksAnswer(auth, { headers: { 'if-none-match': '*' } }).status, 304);
});

test('tenants with keys of their own are found by their names', async (t) => {
  const clock = new TestClock(START);
  const remote = await startIssuer(t, clock);
  const OTHER = 'https://other.example';
  const other = createAuth({
    keys: [{ alg: 'EdDSA', kid: TWO.kid, privateKey: TWO.privateKey, active: true }],
    refreshSecret: SECRET, access: { issuer: OTHER, audience: 'orders' }, store: 'memory:', clock,
  });
  const asked = [];
  let isDown = false;
  const issuers = async (issuer) => {
    asked.push(issuer);
    if (isDown) throw new Error('the database is down');
    if (issuer === ISSUER) return { audience: 'orders', jwksUri: remote.url };
    if (issuer === OTHER) return { audience: 'orders', keys: [{ alg: 'EdDSA', kid: TWO.kid, publicKey: TWO.publicKey }] };
    return undefined;
  };
  const verifier = createVerifier({ issuers, clock, onLog: () => {} });
  const [one, two] = [await remote.token(), (await other.login('user-2')).accessToken];
  assert.throws(() => verifier.verifyAccess(one), withCode('ERR_KEYS_UNAVAILABLE'));
  const all = await Promise.all(Array.from({ length: 20 }, (_, n) => verifier.verifyAccessAsync(n % 2 ? one : two)));
  assert.deepEqual(new Set(all.map(({ subject }) => subject)), new Set(['user-1', 'user-2']));
  assert.equal(verifier.verifyAccess(two).claims.iss, OTHER);
  assert.deepEqual(asked.toSorted(), [ISSUER, OTHER]);

  const third = createAuth({ secret: SECRET, access: { issuer: 'https://evil.example/*', audience: 'orders' }, store: 'memory:', clock });
  const { accessToken } = await third.login('user-3');
  for (const _ of [1, 2]) await assert.rejects(verifier.verifyAccessAsync(accessToken), withCode('ERR_ISSUER_MISMATCH'));
  assert.equal(asked.length, 3);

  isDown = true;
  const cold = createVerifier({ issuers, clock, onLog: () => {} });
  await assert.rejects(cold.verifyAccessAsync(two), withCode('ERR_KEYS_UNAVAILABLE'));
  isDown = false;
  assert.equal((await cold.verifyAccessAsync(two)).subject, 'user-2');

  for (const wrong of [{ audience: 'orders' }, { audience: 'orders', jwksUri: 'http://*', more: 1 }, [], 'https://x.example', 5]) {
    const confused = createVerifier({ issuers: () => wrong, clock, onLog: () => {} });
    await assert.rejects(confused.verifyAccessAsync(two), withCode('ERR_KEYS_UNAVAILABLE'));
  }
});
