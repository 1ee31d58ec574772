// Programs that call the package wrongly: each is refused with an AuthError that names the argument or the option and
// does not contain the value.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import fastify from 'fastify';
import { AuthError, createAuth, createVerifier } from 'regrant';
import * as forExpress from 'regrant/express';
import * as forFastify from 'regrant/fastify';
import * as http from 'regrant/http';
import { SECRET, testAuth } from './support/auth.mjs';

/** Stands in every wrong value that has room for it. */
const VALUE = 'S3CR3T';

const { auth } = testAuth({ web: { accessCookie: true } });
const verifier = createVerifier({ issuers: [{ issuer: 'https://auth.example', keys: [{ alg: 'HS256', secret: SECRET }] }] });
const pair = await auth.login('user-1');
const access = auth.verifyAccess(pair.accessToken);
const request = { method: 'POST', headers: { cookie: `refreshToken=${pair.refreshToken}` } };
const old = forExpress.presets.rtVerify();

/** A response of Express that records what is done to it. */
function response() {
  const done = [];
  const record = (name) => (...args) => { done.push([name, ...args]); return res; };
  const res = { done, req: { headers: {}, secure: false }, statusCode: 200 };
  for (const name of ['append', 'cookie', 'end', 'json', 'set', 'status']) res[name] = record(name);
  return res;
}

const inheriting = (object) => Object.create(object);

/** `[what, call, field]` */
const arguments_ = [
  // Options that do not exist, or of another type.
  ['a misspelt name in failedApi', () => forExpress.presets.rtVerify({ failedApi: { authentication: VALUE } }), 'failedApi.authentication'],
  ['a number in failedApi', () => forExpress.presets.rtVerify({ failedApi: { rtVerify: 5 } }), 'failedApi.rtVerify'],
  ['failedApi as text', () => forExpress.presets.rtVerify({ failedApi: VALUE }), 'failedApi'],
  ['failedApi null', () => forExpress.presets.rtVerify({ failedApi: null }), 'failedApi'],
  ['an option of AuthError', () => new AuthError('ERR_INTERNAL', { zzz: VALUE }), 'zzz'],
  ['a detail of AuthError', () => new AuthError('ERR_INTERNAL', { detail: { a: VALUE } }), 'detail'],
  ['null for AuthError', () => new AuthError('ERR_INTERNAL', null), 'options'],

  // Options after the last argument.
  ['verify', () => auth.verify(pair.accessToken, { audience: VALUE }), 'audience'],
  ['verify with a secret', () => auth.verify(pair.accessToken, VALUE), 'options'],
  ['verifyAccess', () => auth.verifyAccess(pair.accessToken, { audience: VALUE }), 'audience'],
  ['verifyBearer', () => auth.verifyBearer(`Bearer ${pair.accessToken}`, { audience: VALUE }), 'audience'],
  ['verifyAccessAsync', () => auth.verifyAccessAsync(pair.accessToken, { audience: VALUE }), 'audience'],
  ['verifyWithProof', () => auth.verifyWithProof(pair.accessToken, { proof: '', method: '', path: '' }, { audience: VALUE }), 'audience'],
  ['verifyChecked', () => auth.verifyChecked(pair.accessToken, 'ask', undefined, { audience: VALUE }), 'audience'],
  ['checkProof', () => auth.checkProof({ proof: '', method: '', path: '' }, { nonce: VALUE }), 'nonce'],
  ['logout', () => auth.logout(pair.refreshToken, { subject: VALUE }), 'subject'],
  ['revokeSession', () => auth.revokeSession('user-1', pair.sessionId, 'logout', { before: VALUE }), 'before'],
  ['updateSession', () => auth.updateSession('user-1', pair.sessionId, { claims: {}, immediately: VALUE }), 'immediately'],
  ['bearerToken', () => auth.bearerToken(`Bearer ${pair.accessToken}`, { scheme: VALUE }), 'scheme'],
  ['setKeys', () => auth.setKeys({ secret: SECRET }, { active: VALUE }), 'active'],
  ['withWeb', () => auth.withWeb({}, { domain: VALUE }), 'domain'],
  ['verifyAccess of a verifier', () => verifier.verifyAccess(pair.accessToken, { audience: VALUE }), 'audience'],
  ['verifyAccessAsync of a verifier', () => verifier.verifyAccessAsync(pair.accessToken, { audience: VALUE }), 'audience'],
  ['verifyBearer of a verifier', () => verifier.verifyBearer(pair.accessToken, { audience: VALUE }), 'audience'],
  ['verifyBearerAsync of a verifier', () => verifier.verifyBearerAsync(pair.accessToken, { audience: VALUE }), 'audience'],
  ['verifyWithProofAsync of a verifier', () => verifier.verifyWithProofAsync(pair.accessToken, { proof: '', method: '', path: '' }, { audience: VALUE }), 'audience'],
  ['authErrorHandler', () => forExpress.authErrorHandler({ onError() {} }), 'onError'],
  ['loginResponse', () => forExpress.loginResponse(auth, response(), pair, { domain: VALUE }), 'domain'],
  ['setRefreshCookie', () => forExpress.setRefreshCookie(auth, response(), pair, { path: VALUE }), 'path'],
  ['setAccessCookie', () => forExpress.setAccessCookie(auth, response(), pair, { httpOnly: false }), 'httpOnly'],
  ['clearAuthCookies', () => forExpress.clearAuthCookies(auth, response(), { path: VALUE }), 'path'],
  ['loginResponse of the preset', () => old.loginResponse(response(), pair, { secure: true }), 'secure'],
  ['loginReply', () => forFastify.loginReply(auth, { request }, pair, { domain: VALUE }), 'domain'],
  ['http.loginAnswer', () => http.loginAnswer(auth, request, pair, { domain: VALUE }), 'domain'],
  ['http.sessions', () => http.sessions(auth, access, { method: 'GET' }, { current: VALUE }), 'current'],
  ['http.requireScopes', () => http.requireScopes(auth, access, 'read', { onError() {} }), 'onError'],
  ['http.requireClaims', () => http.requireClaims(auth, access, { role: 'a' }, { onError() {} }), 'onError'],

  ['createAuth', () => createAuth({ secret: SECRET, store: 'memory:' }, { web: VALUE }), 'web'],
  ['createVerifier', () => createVerifier({ issuers: [] }, { web: VALUE }), 'web'],

  // What is no plain object.
  ['login with a Map', () => auth.login('user-1', new Map()), 'options'],
  ['login with a Date', () => auth.login('user-1', new Date()), 'options'],
  ['login with an array', () => auth.login('user-1', []), 'options'],
  ['login with text', () => auth.login('user-1', VALUE), 'options'],
  ['logoutEverywhere with a Map', () => auth.logoutEverywhere('user-1', new Map([['exceptSession', pair.sessionId]])), 'options'],
  ['login with inherited options', () => auth.login('user-1', inheriting({ device: { a: VALUE } })), 'options'],
  ['login with inherited options of an object without prototype', () => auth.login('user-1', inheriting(Object.assign(Object.create(null), { device: { a: VALUE } }))), 'options'],
  ['login with a hidden option', () => auth.login('user-1', Object.defineProperty({}, 'device', { value: { a: VALUE } })), 'device'],
  ['refresh with inherited options', () => auth.refresh(pair.refreshToken, inheriting({ rotate: VALUE })), 'options'],
  ['authenticate with a Map', () => forExpress.authenticate(auth, new Map([['optional', true]])), 'options'],

  // null.
  ['presets.rtVerify', () => forExpress.presets.rtVerify(null), 'options'],
  ['authenticate of the preset', () => old.authenticate(auth, null), 'options'],
  ['rtVerify of the preset', () => old.rtVerify(auth, null), 'options'],
  ['authRouter', () => forExpress.authRouter(auth, null), 'options'],
  ['authenticate of Express', () => forExpress.authenticate(auth, null), 'options'],
  ['http.authenticate', () => http.authenticate(auth, request, null), 'options'],
  ['http.refresh', () => http.refresh(auth, request, null), 'options'],
  ['http.logout', () => http.logout(auth, request, null), 'options'],
  ['http.jwksAnswer', () => http.jwksAnswer(auth, request, null), 'options'],

  // Responses, pairs, tokens, scopes.
  ['loginResponse of the preset without a pair', () => old.loginResponse(response(), undefined), 'pair'],
  ['loginResponse of the preset without a response', () => old.loginResponse(undefined, pair), 'res'],
  ...[undefined, null, {}, { error: VALUE }, VALUE].flatMap((none) => [
    ['toResponse', () => http.toResponse(none), 'answer'],
    ['answerError of Express', () => forExpress.answerError(none, request, response()), 'error'],
    ['answerError of Fastify', () => forFastify.answerError(none, request, {}), 'error'],
  ]),
  ['loginResponse without a response', () => forExpress.loginResponse(auth, undefined, pair), 'res'],
  ['loginReply without a reply', () => forFastify.loginReply(auth, undefined, pair), 'reply'],
  ['http.requireScopes without an auth object', () => http.requireScopes({}, access, 'read'), 'auth'],
  ['http.requireClaims without an auth object', () => http.requireClaims(undefined, access, { role: 'a' }), 'auth'],
  ['http.requireScopes with null', () => http.requireScopes(auth, null, 'read'), 'access'],
  ['http.requireScopes with no token', () => http.requireScopes(auth, {}, 'read'), 'access'],
  ['http.requireClaims with no token', () => http.requireClaims(auth, { claims: VALUE }, { role: 'a' }), 'access'],
  ['http.requireClaims with a token that is no JSON', () => http.requireClaims(auth, { claims: { a: 1n } }, { role: 'a' }), 'access'],
  ...[5, {}, null, undefined, [], [VALUE, 5], new Map()].flatMap((scopes) => [
    ['http.requireScopes without scopes', () => http.requireScopes(auth, access, scopes), 'scopes'],
    ['requireScopes of Express without scopes', () => forExpress.requireScopes(auth, scopes), 'scopes'],
    ['requireScopes of Fastify without scopes', () => forFastify.requireScopes(auth, scopes), 'scopes'],
  ]),

  // Requests.
  ...[undefined, null, {}, { headers: null }, { headers: VALUE }].flatMap((none) => [
    ['http.authenticate', () => http.authenticate(auth, none), 'request'],
    ['http.authenticate with a verifier', () => http.authenticate(verifier, none), 'request'],
    ['http.refresh', () => http.refresh(auth, none), 'request'],
    ['http.logout', () => http.logout(auth, none), 'request'],
    ['http.loginAnswer', () => http.loginAnswer(auth, none, pair), 'request'],
    ['http.jwksAnswer', () => http.jwksAnswer(auth, none), 'request'],
    ['http.proofOf', () => http.proofOf(none), 'request'],
    ['http.clientOf', () => http.clientOf(none), 'request'],
  ]),
  ['a session id of another type', () => http.sessions(auth, access, { method: 'DELETE', sessionId: { a: VALUE } }), 'sessionId'],
  ['a session id that is a number', () => http.sessions(auth, access, { method: 'DELETE', sessionId: 5 }), 'sessionId'],
  ['a session id that is null', () => http.sessions(auth, access, { method: 'DELETE', sessionId: null }), 'sessionId'],
  ['a method of another type', () => http.sessions(auth, access, { method: 5 }), 'method'],
  ['no request about sessions', () => http.sessions(auth, access), 'request'],
  ['a token with a session of another type', () => http.sessions(auth, { subject: 'user-1', sessionId: { a: VALUE } }, { method: 'GET' }), 'access'],

  // Ids with lone surrogates, which are the same character in UTF-8.
  ...['\ud800', '\udfff', `${VALUE}\ud800`].flatMap((id) => [
    ['login', () => auth.login(id), 'subject'],
    ['refresh', () => auth.refresh(pair.refreshToken, { subject: id }), 'subject'],
    ['the address of refresh', () => auth.refresh(pair.refreshToken, { address: id }), 'address'],
    ['the user agent of refresh', () => auth.refresh(pair.refreshToken, { userAgent: id }), 'userAgent'],
    ['the address of login', () => auth.login('user-1', { address: id }), 'address'],
    ['updateSession', () => auth.updateSession(id, pair.sessionId, { claims: {} }), 'subject'],
    ['revokeSession', () => auth.revokeSession(id, pair.sessionId), 'subject'],
    ['the session of revokeSession', () => auth.revokeSession('user-1', id), 'sessionId'],
    ['logoutEverywhere', () => auth.logoutEverywhere(id), 'subject'],
    ['exceptSession', () => auth.logoutEverywhere('user-1', { exceptSession: id }), 'exceptSession'],
    ['sessions', () => auth.sessions(id), 'subject'],
    ['current', () => auth.sessions('user-1', { current: id }), 'current'],
    ['http.sessions', () => http.sessions(auth, { subject: id }, { method: 'GET' }), 'access'],
    ['claims', () => auth.login('user-1', { claims: { id } }), 'claims'],
  ]),
];

for (const [index, [what, call, field]] of arguments_.entries()) {
  test(`${what} is refused, naming ${field} (${index})`, async () => {
    await assert.rejects(async () => call(), refusal('ERR_ARGUMENT_INVALID', field));
  });
}

/** Matches an AuthError of the app's programmer, without the value. */
function refusal(code, field) {
  return (error) => {
    assert.ok(error instanceof AuthError, error?.stack);
    assert.deepEqual([error.code, error.field, error.advice], [code, field, 'fix'], error.message);
    assert.ok(error.message.includes(field), error.message);
    assert.ok(!error.message.includes(VALUE) && !String(error.cause).includes(VALUE), error.message);
    return true;
  };
}

test('nothing was changed by the refused calls', async () => {
  assert.deepEqual((await auth.sessions('user-1')).map(({ state }) => state), ['live']);
});

test('what is fit still passes', async () => {
  const other = testAuth().auth;
  await other.login('user-1', { device: undefined });
  await other.login('user-1', runInNewContext('({ device: "a phone" })'));
  await other.login('user-1', Object.assign(Object.create(null), { device: 'a phone' }));
  await other.login('\ud83d\ude00');
  assert.equal(auth.verify(pair.accessToken, undefined).sub, 'user-1');
  assert.equal((await http.sessions(auth, access, { method: 'GET', sessionId: undefined })).status, 200);
  assert.equal(http.requireScopes(auth, undefined, 'read').error.code, 'ERR_TOKEN_MISSING');
  assert.equal(http.requireScopes(auth, access, 'read').error.code, 'ERR_INSUFFICIENT_SCOPE');
});

/** `[what, configuration, field]` */
const configurations = [
  ['access by position', { access: ['1h'] }, 'access'],
  ['refresh by position', { refresh: ['1h', '2h'] }, 'refresh'],
  ['web by position', { web: ['mycookie', '/zz'] }, 'web'],
  ['an empty array', { web: [] }, 'web'],
  ['revocation by position', { revocation: ['1h'] }, 'revocation'],
  ['redis by position', { redis: ['prefix:'] }, 'redis'],
  ['redis.sentinel by position', { redis: { sentinel: ['user', VALUE] } }, 'redis.sentinel'],
  ['dpop by position', { dpop: ['https://api.example'] }, 'dpop'],
  ['access.legacy by position', { access: { legacy: ['1d'] } }, 'access.legacy'],
  ['refresh.limiter by position', { refresh: { limiter: [5, '1m'] } }, 'refresh.limiter'],
  ['a key by position', { keys: [['HS256', 'a', VALUE]] }, 'keys[0]'],
  ['a JWK by position', { keys: [{ alg: 'HS256', jwk: [VALUE] }] }, 'keys[0].jwk'],
  ['migrate by position', { migrate: [VALUE] }, 'migrate'],
  ['migrate as a Map', { migrate: new Map() }, 'migrate'],
  ['a list in a list', { web: { allowedOrigins: [['https://a.example']] } }, 'web.allowedOrigins[0]'],
  ['an issuer with a lone surrogate', { access: { issuer: `${VALUE}\ud800` } }, 'access.issuer'],
  ['a secret of lone surrogates', { secret: '\ud800'.repeat(32) }, 'secret'],
  ['a name with a lone surrogate', { access: { '\ud800': 1 } }, 'access'],
  ['inherited options', { web: inheriting({ path: '/zz' }) }, 'web'],
  ['messages null', { messages: null }, 'messages'],
  ['messages as a Map', { messages: new Map() }, 'messages'],
  ['messages as an array', { messages: [VALUE] }, 'messages'],
  ['a message of another type', { messages: { ERR_TOKEN_MISSING: { a: VALUE } } }, 'messages.ERR_TOKEN_MISSING'],
  ['an empty message', { messages: { ERR_TOKEN_MISSING: '' } }, 'messages.ERR_TOKEN_MISSING'],
  ['a message for a name of every object', { messages: { constructor: VALUE } }, 'messages.constructor'],
  ['language null', { language: null }, 'language'],
];

for (const [what, config, field] of configurations) {
  test(`createAuth: ${what} is refused, naming ${field}`, () => {
    assert.throws(() => testAuth(config), refusal('ERR_CONFIG_INVALID', field));
  });
}

test('a configuration that is no plain object is refused', () => {
  for (const config of [VALUE, 5, [], [VALUE], new Map(), inheriting({ secret: SECRET })]) {
    assert.throws(() => createAuth(config), refusal('ERR_CONFIG_INVALID', 'config'));
    assert.throws(() => createVerifier(config), refusal('ERR_CONFIG_INVALID', 'config'));
  }
  assert.throws(() => auth.setKeys([VALUE]), refusal('ERR_CONFIG_INVALID', 'config'));
  assert.throws(() => auth.withWeb([]), refusal('ERR_CONFIG_INVALID', 'web'));
  assert.throws(() => auth.withWeb(new Map()), refusal('ERR_CONFIG_INVALID', 'web'));
});

test('a verifier reads no fields by position', () => {
  const issuer = { issuer: 'https://auth.example', keys: [{ alg: 'HS256', secret: SECRET }] };
  for (const [config, field] of [
    [{ issuers: [issuer], web: ['x'] }, 'web'],
    [{ issuers: [issuer], keySets: ['30s'] }, 'keySets'],
    [{ issuers: [issuer], dpop: ['https://api.example'] }, 'dpop'],
    [{ issuers: [['https://auth.example', VALUE]] }, 'issuers[0]'],
    [{ issuers: [{ ...issuer, legacy: ['1d'] }] }, 'issuers[0].legacy'],
    [{ issuers: [{ issuer: 'https://auth.example', jwks: [VALUE] }] }, 'issuers[0].jwks'],
  ]) {
    assert.throws(() => createVerifier(config), refusal('ERR_CONFIG_INVALID', field));
  }
});

test('the address of a client is text or unknown', async () => {
  const other = testAuth().auth;
  const { refreshToken } = await other.login('user-1');
  const refresh = (address) => http.refresh(other, { headers: { cookie: `refreshToken=${refreshToken}` } }, { rotate: false, address: () => address });
  for (const address of ['192.0.2.1', undefined, null]) assert.equal((await refresh(address)).status, 200);
  for (const address of [{ a: VALUE }, 5, Promise.resolve(VALUE), '\ud800']) {
    const { status, body } = await refresh(address);
    assert.equal(status, 500);
    refusal('ERR_ARGUMENT_INVALID', 'address')(body.error);
  }
});

test('an error with an unknown code is ERR_INTERNAL, with its message', () => {
  const { message: en } = new AuthError('ERR_INTERNAL');
  for (const code of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'ERR_TYPO', undefined, null, 5]) {
    for (const error of [auth.error(code), verifier.error(code), new AuthError(code)]) {
      assert.deepEqual([error.code, error.message, error.text], ['ERR_INTERNAL', en, en], String(code));
    }
  }
});

test('the preset sends nothing of a pair that is none', () => {
  for (const wrong of [undefined, null, {}, { ...pair, accessToken: VALUE }, { ...pair, accessToken: `a.${VALUE}.c` }]) {
    const res = response();
    assert.throws(() => old.loginResponse(res, wrong), refusal('ERR_ARGUMENT_INVALID', 'pair'));
    assert.deepEqual(res.done, []);
  }
});

test('a req.auth of something else is an error of the app', () => {
  const errors = [];
  const guard = forExpress.requireScopes(auth, 'read', { onError: (error) => errors.push(error) });
  guard({ auth: { sub: VALUE } }, response(), assert.fail);
  refusal('ERR_ARGUMENT_INVALID', 'access')(errors[0]);
});

test('Fastify: wrong options of the plugin reject ready()', async () => {
  for (const [options, field] of [[{ auth, cookie: VALUE }, 'cookie'], [{}, 'auth'], [{ auth, onEror() {} }, 'onEror']]) {
    const app = fastify();
    app.register(forFastify.authRoutes, options);
    await assert.rejects(async () => app.ready(), refusal('ERR_ARGUMENT_INVALID', field));
  }
});

test('cookies that were parsed already are read from every usual container', async () => {
  const { accessToken } = await auth.login('user-2');
  class CookieMap {
    #map = new Map([['accessToken', accessToken]]);
    get(name) { return this.#map.get(name) ?? null; }
    [Symbol.iterator]() { return this.#map[Symbol.iterator](); }
  }
  class RequestCookies {
    getAll() { return [{ name: 'accessToken', value: accessToken }]; }
    * [Symbol.iterator]() { yield ['accessToken', this.getAll()[0]]; }
  }
  const containers = [
    { accessToken },
    Object.assign(Object.create(null), { accessToken }),
    new Map([['accessToken', accessToken]]),
    new CookieMap(),
    new RequestCookies(),
    [['accessToken', accessToken]],
    { accessToken, other: '\ud800' },
    { accessToken, '\ud800': 'x', number: 5 },
    [null, 5, ['x'], [1, 2], ['accessToken', accessToken]],
  ];
  for (const [index, cookies] of containers.entries()) {
    const decision = await http.authenticate(auth, { method: 'GET', headers: {}, cookies });
    assert.equal(decision.auth?.subject, 'user-2', String(index));
  }
  for (const cookies of [new Map([['accessToken', `Bearer ${accessToken}`]]), { accessToken: `Bearer ${accessToken}` }]) {
    const req = { method: 'GET', headers: {}, cookies };
    await new Promise((next) => old.authenticate(auth)(req, response(), next));
    assert.equal(req.auth?.subject, 'user-2', 'the preset');
  }
  for (const cookies of [{ accessToken: '\ud800' }, { getAll: () => Promise.resolve([]) }, { getAll: () => [null] }, 5, null]) {
    const decision = await http.authenticate(auth, { method: 'GET', headers: {}, cookies });
    assert.equal(decision.error?.code, 'ERR_TOKEN_MISSING');
  }
});
