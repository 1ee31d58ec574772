// Writes the fixtures of this folder: node write.mjs STORE > expected.json, in bindings-node of commit 770f144. The store is
// `file:PATH`, whose write-ahead log is then checkpointed, or the address of an empty Redis, whose keys are then dumped.
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestClock, createAuth } from 'regrant';

const [store] = process.argv.slice(2);
const clock = new TestClock(1_790_000_000_000);
const secret = 'a secret of the upgrade tests, long enough for HS256';
const configs = {
  main: {},
  shop: { access: { audience: 'shop', issuer: 'https://auth.example' } },
  named: { realm: 'crm' },
  kept: { refresh: { rotation: false } },
  dpop: { dpop: { origin: 'https://api.example' } },
};
const auths = Object.fromEntries(Object.entries(configs).map(([name, config]) => [name, createAuth({ secret, store, clock, ...config })]));

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
function prove(method, path) {
  const claims = { jti: randomUUID(), htm: method, htu: `https://api.example${path}`, iat: Math.floor(clock.now() / 1000) };
  const input = `${encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: publicKey.export({ format: 'jwk' }) })}.${encode(claims)}`;
  const signature = sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');
  return { proof: `${input}.${signature}`, method, path };
}

const laptop = { address: '192.0.2.1', userAgent: 'Laptop/1 "é"' };
const phone = { address: '2001:db8::1', userAgent: 'Phone/2' };
const sessions = [];
const keep = (name, config, { subject, sessionId, refreshToken }, more = {}) =>
  sessions.push({ name, config, subject, sessionId, refreshToken, ...more });
let users = 0;

for (const config of ['main', 'shop', 'named', 'kept']) {
  const auth = auths[config];
  const login = (options) => auth.login(`${config}-${++users}`, options);
  keep('login', config, await login());
  const remembered = { idleTtl: '30d', absoluteTtl: '200d', persistent: true, device: 'Laptop', ...laptop };
  keep('remember me', config, await login(remembered), { lives: 29 });
  keep('not persistent', config, await login({ idleTtl: '1d', persistent: false }), { persistent: false });
  const claims = { role: 'editor', n: [1, null] };
  keep('claims', config, await login({ claims }), { claims });
  const updated = await login({ claims: { role: 'admin' }, ...laptop });
  await auth.updateSession(updated.subject, updated.sessionId, { claims: { role: 'reader "é"' } });
  keep('updated claims', config, updated, { claims: { role: 'reader "é"' }, createdFrom: laptop });
  let pair = await login({ claims: { role: 'editor' }, persistent: false, idleTtl: '20d', ...laptop });
  for (let count = 0; count < 3; count += 1) {
    clock.advance(1000);
    pair = await auth.refresh(pair.refreshToken, phone);
    auth.verify(pair.accessToken);
    await sleep(50); // reports the use
  }
  keep('refreshed', config, pair, {
    claims: { role: 'editor' }, persistent: false, lives: 19, createdFrom: laptop, lastRefreshedFrom: phone,
  });
}
for (const [name, options] of [['bound', {}], ['bound, remember me', { idleTtl: '30d', absoluteTtl: '200d', claims: { role: 'x' } }]]) {
  const expected = { bound: true, ...(options.claims && { claims: options.claims, lives: 29 }) };
  const login = () => auths.dpop.login(`dpop-${++users}`, { ...options, proof: prove('POST', '/login') });
  keep(name, 'dpop', await login(), expected);
  const { refreshToken } = await login();
  clock.advance(1000);
  keep(`${name}, refreshed`, 'dpop', await auths.dpop.refresh(refreshToken, { proof: prove('POST', '/auth/refresh') }), expected);
}
const revoked = await auths.main.login('main-revoked');
await auths.main.logout(revoked.refreshToken);
keep('revoked', 'main', revoked, { answer: 'ERR_SESSION_REVOKED' });
await sleep(300);
const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
console.log(JSON.stringify({ now: clock.now(), secret, configs, key, sessions }, null, 1));
process.exit(0);
