// JWK Sets, and what they say of the use of a key. Beside the key in question each set has another one, so that
// it never becomes empty.
import { SECRET, privateKey, publicKey } from '../keys.mjs';
import { CLAIMS, NOW, b64, segments, signedToken, token } from '../tokens.mjs';
import { smallOrder } from './signatures.mjs';

const jwkOf = (name) => publicKey(name).export({ format: 'jwk' });
const other = { ...jwkOf('p384-b'), kid: 'other' };
const jwk = { RS256: jwkOf('rsa2048-a'), PS256: jwkOf('rsa2048-a'), RS512: jwkOf('rsa2048-a'), ES256: jwkOf('p256-a'), EdDSA: jwkOf('ed25519-a') };
const without = (object, name) => Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));

export const cases = [];
const add = (name, why, alg, change, expect, { set = undefined, text = signedToken(alg) } = {}) => {
  const key = typeof change === 'function' ? change({ ...jwk[alg] }) : { ...jwk[alg], ...change };
  cases.push({ name: `${alg}: ${name}`, why, now: NOW, jwks: typeof key === 'string' ? key : JSON.stringify({ keys: set ? set(key) : [key, other] }), token: text, expect });
};
const accepted = (text) => ({ subject: 'user-7', payload: Buffer.from(segments(text)[1], 'base64url').toString() });
const accept = (name, why, alg, change, options = {}) => add(name, why, alg, change, accepted(options.text ?? signedToken(alg)), options);
/** The only key of the algorithm is passed over, so there is none of it. */
const refuse = (name, why, alg, change, options) => add(name, why, alg, change, { code: 'ERR_ALG_NOT_ALLOWED' }, options);

for (const alg of ['RS256', 'ES256', 'EdDSA']) {
  accept('nothing but the key', 'RFC 7517 §4: all but kty is optional', alg, {});
  accept('alg', 'RFC 7517 §4.4', alg, { alg });
  accept('use sig', 'RFC 7517 §4.2', alg, { use: 'sig' });
  accept('key_ops verify', 'RFC 7517 §4.3', alg, { key_ops: ['verify'] });
  accept('use sig and key_ops verify', 'RFC 7517 §4.3: they agree', alg, { use: 'sig', key_ops: ['verify'] });
  accept('key_ops with an operation that is unknown', 'RFC 7517 §4.3: other values may be used', alg, { key_ops: ['x', 'verify'] });
  accept('members of no meaning', 'RFC 7517 §4: they are ignored', alg, { x5u: 'https://evil.test', x5c: ['AAAA'], ext: true, iat: 1 });
  refuse('use enc', 'RFC 7517 §4.2', alg, { use: 'enc' });
  refuse('use in other letters', 'RFC 7517 §4.2: case-sensitive', alg, { use: 'SIG' });
  for (const use of ['', ' sig', 'sign', 1, null, ['sig']]) refuse(`use is ${JSON.stringify(use)}`, 'RFC 7517 §4.2', alg, { use });
  for (const key_ops of [[], ['sign'], ['encrypt'], ['wrapKey', 'deriveBits'], ['VERIFY'], ['verify', 'verify'], ['verify', 1], 'verify', null, {}]) refuse(`key_ops is ${JSON.stringify(key_ops)}`, 'RFC 7517 §4.3', alg, { key_ops });
  refuse('use sig and key_ops encrypt', 'RFC 7517 §4.3: both hold', alg, { use: 'sig', key_ops: ['encrypt'] });
  refuse('use enc and key_ops verify', 'RFC 7517 §4.3: both hold', alg, { use: 'enc', key_ops: ['verify'] });
  for (const name of ['HS256', 'none', 'RSA-OAEP', 'ECDH-ES', 'x', '', 1, null]) refuse(`alg is ${JSON.stringify(name)}`, 'RFC 7517 §4.4', alg, { alg: name });
  refuse('no kty', 'RFC 7517 §4.1', alg, (key) => without(key, 'kty'));
  refuse('kty in lower case', 'RFC 7517 §4.1: case-sensitive', alg, (key) => ({ ...key, kty: key.kty.toLowerCase() }));
  refuse('kty oct', 'RFC 7517 §4.1', alg, { kty: 'oct' });
  refuse('the private member d', 'RFC 7517 §9.2', alg, { d: 'AAAA' });
  refuse('kid is a number', 'RFC 7517 §4.5: a string', alg, { kid: 1 });
  add('the name of another key', 'RFC 7515 §4.1.4', alg, { kid: 'mine' }, { code: 'ERR_KEY_NOT_FOUND' }, { text: token({ alg: 'EdDSA', kid: 'theirs', typ: 'at+jwt' }, CLAIMS, 'EdDSA'), set: (key) => [key, { ...jwk.EdDSA, kid: 'ed' }] });
  // Signatures by ECDSA are random.
  if (alg === 'ES256') continue;
  for (const kid of ['', 'two words', '키\n', 'k'.repeat(1000)]) {
    const named = (key) => [{ ...other, kid }, { ...key, kid }];
    accept(`kid ${JSON.stringify(kid).slice(0, 20)} of keys of two types`, 'RFC 7517 §4.5: any text, alike for keys of different types', alg, {}, { set: named, text: token({ alg, kid, typ: 'at+jwt' }, CLAIMS, alg) });
  }
}
for (const alg of ['RS384', 'RS512', 'PS256', 'PS384']) refuse(`alg is ${alg}`, 'RFC 7517 §4.4, RFC 8725 §3.1', 'RS256', { alg });
accept('alg PS256', 'RFC 7517 §4.4', 'PS256', { alg: 'PS256' });
refuse('no alg, which means RS256', 'RFC 8725 §3.1: one key, one algorithm', 'PS256', {});
refuse('alg is ES384', 'RFC 7518 §3.4', 'ES256', { alg: 'ES384' });
for (const crv of ['P-384', 'P-521', 'p-256', 'secp256k1', 'Ed25519', 'prime256v1', '', null]) refuse(`crv is ${JSON.stringify(crv)}`, 'RFC 7518 §6.2.1.1', 'ES256', { crv });
refuse('no crv', 'RFC 7518 §6.2.1.1', 'ES256', (key) => without(key, 'crv'));
for (const member of ['x', 'y']) {
  refuse(`no ${member}`, 'RFC 7518 §6.2.1', 'ES256', (key) => without(key, member));
  refuse(`${member} with a zero before it`, 'RFC 7518 §6.2.1.2: of full length', 'ES256', (key) => ({ ...key, [member]: Buffer.concat([Buffer.alloc(1), Buffer.from(key[member], 'base64url')]).toString('base64url') }));
  refuse(`${member} is cut`, 'RFC 7518 §6.2.1.2: of full length', 'ES256', (key) => ({ ...key, [member]: Buffer.from(key[member], 'base64url').subarray(1).toString('base64url') }));
  refuse(`${member} with padding`, 'RFC 7515 §2', 'ES256', (key) => ({ ...key, [member]: `${key[member]}=` }));
}
refuse('x and y swapped', 'SEC 1 §3.2.2: off the curve', 'ES256', (key) => ({ ...key, x: key.y, y: key.x }));
for (const crv of ['X25519', 'Ed448', 'ed25519', 'P-256']) refuse(`crv is ${crv}`, 'RFC 8037 §2', 'EdDSA', { crv });
refuse('a y', 'RFC 8037 §2', 'EdDSA', (key) => ({ ...key, y: key.x }));
for (const [name, bytes] of Object.entries(smallOrder)) refuse(`x is ${name}`, 'RFC 8032 §5.1.7', 'EdDSA', { x: Buffer.from(bytes, 'hex').toString('base64url') });
accept('alg Ed25519, token EdDSA', 'RFC 9864 §2.2: two names of one algorithm here', 'EdDSA', { alg: 'Ed25519' });
accept('alg EdDSA, token Ed25519', 'RFC 9864 §2.2: two names of one algorithm here', 'EdDSA', { alg: 'EdDSA' }, { text: token({ alg: 'Ed25519', typ: 'at+jwt' }, CLAIMS, 'EdDSA') });
const large = { alg: 'RS256', typ: 'at+jwt' };
accept('RSA of 8192 bits', 'RFC 7518 §3.3: 2048 bits or larger', 'RS256', jwkOf('rsa8192'), { text: token(large, CLAIMS, 'RS256', privateKey('rsa8192')) });
refuse('RSA of 1024 bits', 'RFC 7518 §3.3', 'RS256', jwkOf('rsa1024'));
for (const e of ['AQ', 'Ag', 'AQAA', 'AQAAAAE', '']) refuse(`e is ${e}`, 'RFC 8017 §3.1', 'RS256', { e });
refuse('no n', 'RFC 7518 §6.3.1', 'RS256', (key) => without(key, 'n'));
for (const member of ['p', 'q', 'dp', 'dq', 'qi', 'oth']) refuse(`the private member ${member}`, 'RFC 7518 §6.3.2', 'RS256', { [member]: 'AAAA' });

/** Keys that are configured one by one, as JWKs: secrets among them. What is refused for its key is so when the
 *  verifier is made. */
export const single = [];
const oct = { kty: 'oct', k: b64(SECRET) };
const one = (name, why, alg, key, code) => {
  const text = signedToken(alg);
  single.push({ name: `${alg}: ${name}`, why, now: NOW, alg, jwk: JSON.stringify(key), token: text, expect: code === undefined ? accepted(text) : { code } });
};
const INVALID = 'ERR_CONFIG_INVALID';
for (const alg of ['HS256', 'HS384', 'HS512', 'RS256', 'PS256', 'ES256', 'EdDSA']) {
  const key = jwk[alg] ?? oct;
  one('nothing but the key', 'RFC 7517 §4', alg, key);
  one('all that fits', 'RFC 7517 §4.2 to §4.4', alg, { ...key, alg, use: 'sig', key_ops: ['sign', 'verify'] });
  one('key_ops verify', 'RFC 7517 §4.3', alg, { ...key, key_ops: ['verify'] });
  for (const [member, value] of [['use', 'enc'], ['use', ''], ['use', 'SIG'], ['use', null], ['key_ops', []], ['key_ops', ['sign']], ['key_ops', ['encrypt']], ['key_ops', ['verify', 'verify']], ['key_ops', 'verify'], ['alg', 'none'], ['alg', 'A256GCM'], ['alg', alg.toLowerCase()], ['alg', alg === 'HS512' ? 'HS256' : 'HS512'], ['alg', 1], ['kty', 'OCT'], ['kty', null]]) {
    one(`${member} is ${JSON.stringify(value)}`, 'RFC 7517 §4', alg, { ...key, [member]: value }, INVALID);
  }
  one('use sig and key_ops encrypt', 'RFC 7517 §4.3: both hold', alg, { ...key, use: 'sig', key_ops: ['encrypt'] }, INVALID);
}
for (const [name, k] of Object.entries({ 'empty': '', 'with padding': `${b64(SECRET)}=`, 'with a space': ` ${b64(SECRET)}`, 'of 31 bytes': b64(SECRET.slice(0, 31)), 'a number': 7, 'null': null })) one(`k is ${name}`, 'RFC 7518 §3.2 and §6.4.1', 'HS256', { ...oct, k }, INVALID);
one('no k', 'RFC 7518 §6.4.1', 'HS256', { kty: 'oct' }, INVALID);
one('a secret', 'RFC 8725 §3.1', 'RS256', oct, INVALID);
one('a public key', 'RFC 8725 §3.1', 'HS256', jwk.RS256, INVALID);
one('for PS256', 'RFC 7517 §4.4', 'RS256', { ...jwk.RS256, alg: 'PS256' }, INVALID);
one('a curve that does not fit', 'RFC 7518 §6.2.1.1', 'ES256', jwkOf('p384-a'), INVALID);
one('with its private part', 'RFC 7517 §9.2', 'EdDSA', { ...jwk.EdDSA, d: 'AAAA' }, INVALID);
