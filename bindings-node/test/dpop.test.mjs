// DPoP-bound sessions (RFC 9449) over HTTP.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { test } from 'node:test';
import fastify from 'fastify';
import { createVerifier } from 'regrant';
import { authenticate, loginResponse, logoutHandler, proofOf, refreshHandler } from 'regrant/express';
import * as forFastify from 'regrant/fastify';
import { authenticate as decide } from 'regrant/http';
import { claimsOf, testAuth, withCode } from './support/auth.mjs';
import { expressVersions, json, serve } from './support/server.mjs';

const ORIGIN = 'https://api.example';
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const hash = (text) => createHash('sha256').update(text).digest('base64url');

/** A client with its own key and the clock of the server. */
function device(clock) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' });
  return {
    thumbprint: hash(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y })),
    prove(htm, path, { token, nonce, origin = ORIGIN } = {}) {
      const claims = { jti: randomUUID(), htm, htu: origin + path, iat: Math.floor(clock.now() / 1000) };
      if (token) claims.ath = hash(token);
      if (nonce) claims.nonce = nonce;
      const input = `${encode({ typ: 'dpop+jwt', alg: 'ES256', jwk })}.${encode(claims)}`;
      const signature = sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${input}.${signature.toString('base64url')}`;
    },
  };
}

function boundApp(express, auth) {
  const app = express();
  app.use(express.json());
  app.post('/login', async (req, res, next) => {
    try {
      loginResponse(auth, res, await auth.login('user-1', { proof: proofOf(req) }));
    } catch (error) {
      next(error);
    }
  });
  // Mounted below a path, so that `req.url` is not the whole path.
  const router = express.Router();
  router.post('/refresh', refreshHandler(auth));
  router.post('/logout', logoutHandler(auth));
  app.use('/auth', router);
  app.get('/me', authenticate(auth), (req, res) => res.json({ user: req.auth.subject }));
  app.get('/now', authenticate(auth, { whenStale: 'ask' }), (req, res) => res.json({ user: req.auth.subject }));
  app.use((err, req, res, _next) => res.status(err.status).set(err.headers).json({ error: err }));
  return app;
}

const codeOf = async (response) => [response.status, (await response.json()).error.code];

for (const { name, express } of expressVersions) {
  test(`${name}: bound tokens are rejected without a proof by their key`, async (t) => {
    const { auth, clock } = testAuth({ dpop: { origin: ['https://other.example', ORIGIN] }, web: { refreshCookie: false } });
    const call = await serve(t, boundApp(express, auth));
    const [client, attacker] = [device(clock), device(clock)];
    const post = (path, body, dpop) => {
      const { headers, ...rest } = json(body);
      return call.post(path, { headers: { ...headers, ...(dpop && { dpop }) }, ...rest });
    };
    const get = (path, token, dpop, scheme = 'DPoP') =>
      call(path, { headers: { authorization: `${scheme} ${token}`, ...(dpop && { dpop }) } });

    let pair = await (await post('/login', {}, client.prove('POST', '/login'))).json();
    assert.equal(claimsOf(pair.accessToken).cnf.jkt, client.thumbprint);
    for (let turn = 0; turn < 2; turn += 1) {
      const token = pair.accessToken;
      for (const path of ['/me', '/now']) {
        const proof = client.prove('GET', path, { token });
        const accepted = await get(path, token, proof);
        assert.deepEqual([accepted.status, await accepted.json()], [200, { user: 'user-1' }]);
        assert.deepEqual(await codeOf(await get(path, token, proof)), [401, 'ERR_DPOP_PROOF_REPLAYED']);
        assert.deepEqual(await codeOf(await get(path, token)), [401, 'ERR_DPOP_PROOF_MISSING']);
        assert.deepEqual(await codeOf(await get(path, token, undefined, 'Bearer')), [401, 'ERR_DPOP_PROOF_MISSING']);
        for (const bad of [
          attacker.prove('GET', path, { token }),
          client.prove('GET', path),
          client.prove('POST', path, { token }),
          client.prove('GET', '/other', { token }),
          client.prove('GET', path, { token, origin: 'https://evil.example' }),
          'rubbish',
        ]) {
          const rejected = await get(path, token, bad);
          assert.match(rejected.headers.get('www-authenticate'), /^DPoP error="invalid_dpop_proof"/);
          assert.deepEqual(await codeOf(rejected), [401, 'ERR_DPOP_PROOF_INVALID']);
        }
      }
      const body = { refreshToken: pair.refreshToken };
      assert.deepEqual(await codeOf(await post('/auth/refresh', body)), [401, 'ERR_DPOP_PROOF_MISSING']);
      const stolen = await post('/auth/refresh', body, attacker.prove('POST', '/auth/refresh'));
      assert.deepEqual(await codeOf(stolen), [401, 'ERR_DPOP_PROOF_INVALID']);
      assert.deepEqual(await codeOf(await post('/auth/logout', body)), [401, 'ERR_DPOP_PROOF_MISSING']);
      const foreign = await post('/auth/logout', body, attacker.prove('POST', '/auth/logout'));
      assert.deepEqual(await codeOf(foreign), [401, 'ERR_DPOP_PROOF_INVALID']);
      clock.advance(60_000);
      const renewed = await post('/auth/refresh', body, client.prove('POST', '/auth/refresh?x=y'));
      assert.equal(renewed.status, 200);
      pair = await renewed.json();
    }
    const body = { refreshToken: pair.refreshToken };
    assert.equal((await post('/auth/logout', body, client.prove('POST', '/auth/logout'))).status, 204);
    assert.deepEqual(await codeOf(await post('/auth/refresh', body, client.prove('POST', '/auth/refresh'))), [401, 'ERR_SESSION_REVOKED']);
  });

  test(`${name}: a server with nonces returns the nonce to use`, async (t) => {
    const { auth, clock } = testAuth({ dpop: { origin: ORIGIN, nonce: '5m' }, web: { refreshCookie: false } });
    const call = await serve(t, boundApp(express, auth));
    const client = device(clock);
    const login = (nonce) => call.post('/login', { headers: { dpop: client.prove('POST', '/login', { nonce }) } });
    const rejected = await login();
    assert.match(rejected.headers.get('www-authenticate'), /^DPoP error="use_dpop_nonce"/);
    assert.deepEqual(await codeOf(rejected.clone()), [401, 'ERR_DPOP_NONCE_REQUIRED']);
    assert.equal((await rejected.json()).error.advice, 'retry');
    const nonce = rejected.headers.get('dpop-nonce');
    assert.equal(nonce, auth.proofNonce);
    const { refreshToken } = await (await login(nonce)).json();
    clock.advance(600_000);
    const refresh = (given) => {
      const { headers, body } = json({ refreshToken });
      const dpop = client.prove('POST', '/auth/refresh', { nonce: given });
      return call.post('/auth/refresh', { headers: { ...headers, dpop }, body });
    };
    const again = await refresh(nonce);
    assert.deepEqual(await codeOf(again), [401, 'ERR_DPOP_NONCE_REQUIRED']);
    const renewed = await refresh(again.headers.get('dpop-nonce'));
    assert.deepEqual([renewed.status, renewed.headers.get('dpop-nonce')], [200, auth.proofNonce]);
    const guarded = await call('/me');
    assert.deepEqual([guarded.status, guarded.headers.get('dpop-nonce')], [401, auth.proofNonce]);
  });
}

test('Fastify and Fetch API requests accept proofs', async (t) => {
  const { auth, clock } = testAuth({ dpop: { origin: ORIGIN } });
  const client = device(clock);
  const proof = () => ({ proof: client.prove('POST', '/login'), method: 'POST', path: '/login' });
  const { accessToken: token } = await auth.login('user-1', { proof: proof() });
  const app = fastify();
  t.after(() => app.close());
  app.get('/me', { onRequest: forFastify.authenticate(auth) }, (request) => ({ user: request.auth.subject }));
  const headers = () => ({ authorization: `DPoP ${token}`, dpop: client.prove('GET', '/me', { token }) });
  assert.deepEqual((await app.inject({ url: '/me?a=b', headers: headers() })).json(), { user: 'user-1' });
  const decision = await decide(auth, new Request('http://127.0.0.1:80/me?a=b', { headers: headers() }));
  assert.equal(decision.auth.subject, 'user-1');
});

test('a server without dpop rejects proofs and bound tokens', async () => {
  const [bound, plain] = [testAuth({ dpop: { origin: ORIGIN } }), testAuth()];
  const client = device(bound.clock);
  const proof = { proof: client.prove('POST', '/login'), method: 'POST', path: '/login' };
  const { accessToken, refreshToken } = await bound.auth.login('user-1', { proof });
  assert.throws(() => plain.auth.verify(accessToken), withCode('ERR_DPOP_PROOF_MISSING'));
  await assert.rejects(plain.auth.refresh(refreshToken), withCode('ERR_DPOP_PROOF_MISSING'));
  await assert.rejects(plain.auth.logout(refreshToken), withCode('ERR_DPOP_PROOF_MISSING'));
  const request = { method: 'GET', url: '/', headers: { authorization: `DPoP ${accessToken}`, dpop: 'x' } };
  // RFC 9110 §11.6.2: an unknown scheme, as in any request without a token that counts.
  const { error } = await decide(plain.auth, request);
  assert.deepEqual([error.code, error.headers['WWW-Authenticate']], ['ERR_TOKEN_MISSING', 'Bearer']);
  assert.deepEqual([plain.auth.checksProofs, plain.auth.proofNonce], [false, null]);
  await assert.rejects(plain.auth.login('user-1', { proof }), { ...withCode('ERR_CONFIG_INVALID'), field: 'dpop' });
  const strict = testAuth({ dpop: { origin: ORIGIN, required: true } });
  await assert.rejects(strict.auth.login('user-1'), withCode('ERR_DPOP_PROOF_MISSING'));
});

test('checkProof before a login does not use the proof up', async () => {
  const { auth, clock } = testAuth({ dpop: { origin: ORIGIN } });
  const proof = { proof: device(clock).prove('POST', '/signup'), method: 'POST', path: '/signup' };
  auth.checkProof(undefined);
  auth.checkProof(proof);
  await auth.login('user-1', { proof });
  await assert.rejects(auth.login('user-1', { proof }), withCode('ERR_DPOP_PROOF_REPLAYED'));
  assert.throws(() => auth.checkProof({ ...proof, path: '/login' }), withCode('ERR_DPOP_PROOF_INVALID'));
  const late = { ...proof, proof: device({ now: () => clock.now() - 600_000 }).prove('POST', '/signup') };
  assert.throws(() => auth.checkProof(late), withCode('ERR_DPOP_PROOF_INVALID'));
  assert.throws(() => testAuth().auth.checkProof(proof), { ...withCode('ERR_CONFIG_INVALID'), field: 'dpop' });
});

test('a verifier of another issuer accepts bound tokens with a proof for its own origin', async (t) => {
  const issuer = 'https://auth.example';
  const { privateKey } = generateKeyPairSync('ed25519');
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const keys = [{ alg: 'EdDSA', kid: 'one', privateKey: privateKeyPem, active: true }];
  const refreshSecret = 'a refresh secret of at least 32 bytes';
  const { auth, clock } = testAuth({
    secret: undefined, keys, refreshSecret, access: { issuer, audience: 'orders' }, dpop: { origin: issuer },
  });
  const client = device(clock);
  const proof = { proof: client.prove('POST', '/login', { origin: issuer }), method: 'POST', path: '/login' };
  const { accessToken: token } = await auth.login('user-1', { proof });
  const issuers = [{ issuer, audience: 'orders', jwks: auth.jwks() }];
  const app = (config) => {
    const served = expressVersions[0].express();
    served.get('/orders', authenticate(createVerifier({ issuers, clock, ...config })), (req, res) => res.json(req.auth.subject));
    served.use((err, req, res, _next) => res.status(err.status).json({ error: err }));
    return serve(t, served);
  };
  const ask = async (call, origin, scheme = 'DPoP') => {
    const headers = { authorization: `${scheme} ${token}`, dpop: client.prove('GET', '/orders', { token, origin }) };
    const answer = await call('/orders?page=2', { headers });
    return answer.status === 200 ? answer.json() : codeOf(answer);
  };
  const knows = await app({ dpop: { origin: ORIGIN } });
  assert.equal(await ask(knows, ORIGIN), 'user-1');
  assert.deepEqual(await ask(knows, issuer), [401, 'ERR_DPOP_PROOF_INVALID']);
  assert.deepEqual(await ask(knows, ORIGIN, 'Bearer'), [401, 'ERR_DPOP_PROOF_MISSING']);
  assert.deepEqual(await ask(await app({}), ORIGIN), [401, 'ERR_TOKEN_MISSING']);
  const wrong = () => createVerifier({ issuers, dpop: { origin: 'api.example' } });
  assert.throws(wrong, { ...withCode('ERR_CONFIG_INVALID'), field: 'dpop.origin' });
});

test('auth.logout takes the proof of a bound session', async () => {
  const { auth, clock } = testAuth({ dpop: { origin: ORIGIN } });
  const [client, attacker] = [device(clock), device(clock)];
  const proofBy = (key, path) => ({ proof: key.prove('POST', path), method: 'POST', path });
  const { refreshToken } = await auth.login('user-1', { proof: proofBy(client, '/login') });
  await assert.rejects(auth.logout(refreshToken), withCode('ERR_DPOP_PROOF_MISSING'));
  await assert.rejects(auth.logout(refreshToken, { proof: proofBy(attacker, '/logout') }), withCode('ERR_DPOP_PROOF_INVALID'));
  await assert.rejects(auth.logout(refreshToken, { proof: 'x' }), { ...withCode('ERR_ARGUMENT_INVALID'), field: 'proof' });
  assert.equal(await auth.logout(refreshToken, { proof: proofBy(client, '/logout') }), true);
  const unbound = await auth.login('user-1');
  assert.equal(await auth.logout(unbound.refreshToken, { proof: proofBy(client, '/logout') }), true);
});
