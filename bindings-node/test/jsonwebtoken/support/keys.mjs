// Keys of every type and format, for both packages.
import { createPrivateKey, createPublicKey, createSecretKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';

const FOLDER = new URL('../../../../tests/vectors/keys/', import.meta.url);

/** The PEM text of a key of tests/vectors/keys. */
export const pem = (name) => readFileSync(new URL(`test-only-${name}.pem`, FOLDER), 'utf8');

export const SECRET = 'a secret of the tests, long enough for HS256';
export const PASSWORD = 'test';

const pss = (hashAlgorithm, saltLength) =>
  generateKeyPairSync('rsa-pss', { modulusLength: 2048, hashAlgorithm, mgf1HashAlgorithm: hashAlgorithm, saltLength });
const published = (name) => ({
  privateKey: createPrivateKey(pem(`${name}.private`)),
  publicKey: createPublicKey(pem(`${name}.public`)),
});

/** Key pairs by name, as KeyObjects. */
export const pairs = {
  rsa: published('rsa2048-a'),
  otherRsa: published('rsa2048-b'),
  smallRsa: published('rsa1024'),
  oddRsa: generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }),
  pss: published('rsapss2048'),
  pss256: pss('sha256', 32),
  pss512: pss('sha512', 64),
  pssLongSalt: pss('sha256', 64),
  p256: published('p256-a'),
  otherP256: published('p256-b'),
  p384: published('p384-a'),
  p521: published('p521'),
  secp256k1: published('secp256k1'),
  ed25519: published('ed25519-a'),
  x25519: generateKeyPairSync('x25519'),
};

/** The algorithms of each key pair. */
export const algorithmsOf = {
  rsa: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  otherRsa: ['RS256', 'PS512'],
  smallRsa: ['RS256', 'PS256'],
  oddRsa: ['RS256', 'PS384'],
  pss: ['PS256', 'PS384', 'PS512'],
  pss256: ['PS256'],
  pss512: ['PS512'],
  pssLongSalt: ['PS256'],
  p256: ['ES256'],
  otherP256: ['ES256'],
  p384: ['ES384'],
  p521: ['ES512'],
  secp256k1: ['ES256'],
  ed25519: ['EdDSA', 'RS256'],
  x25519: ['ES256'],
};

const secretBytes = Buffer.from(SECRET);

/** One secret, in every type that sign and verify accept. */
export const secrets = [
  SECRET,
  secretBytes,
  new Uint8Array(secretBytes),
  new DataView(new Uint8Array(secretBytes).buffer),
  new Uint8Array(secretBytes).buffer,
  createSecretKey(secretBytes),
];

/** Unusual secrets, each different. */
export const unusualSecrets = [
  'short',
  ' ',
  'ключ 🔑',
  'lone \ud800 surrogate',
  'with \0 inside',
  '-----BEGIN PUBLIC KEY-----\nnot one\n-----END PUBLIC KEY-----',
  '-----BEGIN RSA PRIVATE KEY-----',
  Buffer.from([0xff, 0xfe, 0x00, 0x80]),
  Buffer.alloc(200, 7),
  Buffer.alloc(0),
  'x'.repeat(9000),
  // Input that a key parser may accept, or fail on.
  'null',
  '{"kty":"oct","k":"c2VjcmV0"}',
  '\n-----BEGIN PUBLIC KEY-----\n',
  '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----',
  'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ== somebody',
];

const cryptoKey = await webcrypto.subtle.importKey('raw', secretBytes, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign', 'verify']);

/** Values that are not keys. */
export const invalidKeys = [
  { kty: 'oct', k: secretBytes.toString('base64url') },
  { key: { kty: 'oct', k: secretBytes.toString('base64url') }, format: 'jwk' },
  pairs.rsa.publicKey.export({ format: 'jwk' }),
  { key: pem('rsa2048-a.private'), passphrase: 5 },
  { key: secretBytes, format: 'der', type: 'spki' },
  { keys: [] },
  pairs.rsa,
  Promise.resolve(SECRET),
  new String('a boxed secret of enough characters'),
  cryptoKey,
  undefined, null, '', 0, 5, NaN, true, false, {}, [], ['a secret'], { key: 'a secret' }, new Date(0), Symbol.iterator, 5n,
];

const { privateKey, publicKey } = pairs.rsa;

/** Private keys in the formats that callers use: `[name of the pair, key]`. */
export const privateForms = [
  ...Object.entries(pairs).map(([name, pair]) => [name, pair.privateKey]),
  ['rsa', pem('rsa2048-a.private')],
  ['rsa', pem('rsa2048-a.pkcs1.private')],
  ['rsa', Buffer.from(pem('rsa2048-a.private'))],
  ['rsa', new Uint8Array(Buffer.from(pem('rsa2048-a.pkcs1.private')))],
  ['rsa', { key: pem('rsa2048-a.private') }],
  ['rsa', { key: privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-128-cbc', passphrase: 'p' }), passphrase: 'p' }],
  ['rsa', { key: privateKey.export({ format: 'der', type: 'pkcs8' }), format: 'der', type: 'pkcs8' }],
  ['rsa', { key: privateKey.export({ format: 'jwk' }), format: 'jwk' }],
  ['p256', pem('p256-a.private')],
  ['p256', pem('p256-a.sec1.private')],
  ['p256', { key: pem('p256-a.encrypted.private'), passphrase: PASSWORD }],
  ['p256', { key: Buffer.from(pem('p256-a.encrypted.private')), passphrase: PASSWORD }],
  ['p256', { key: pem('p256-a.encrypted.private'), passphrase: 'wrong' }],
  ['p256', pem('p256-a.encrypted.private')],
  ['p384', pem('p384-a.private')],
  ['p521', pem('p521.private')],
  ['secp256k1', pem('secp256k1.private')],
  ['ed25519', pem('ed25519-a.private')],
  ['smallRsa', pem('rsa1024.private')],
];

/** The same for public keys. A private key yields its public key, unless it is a KeyObject. */
export const publicForms = [
  ...Object.entries(pairs).map(([name, pair]) => [name, pair.publicKey]),
  ['rsa', pem('rsa2048-a.public')],
  ['rsa', pem('rsa2048-a.pkcs1.public')],
  ['rsa', Buffer.from(pem('rsa2048-a.public'))],
  ['rsa', new Uint8Array(Buffer.from(pem('rsa2048-a.public')))],
  ['rsa', { key: pem('rsa2048-a.public') }],
  ['rsa', { key: publicKey.export({ format: 'der', type: 'spki' }), format: 'der', type: 'spki' }],
  ['rsa', { key: publicKey.export({ format: 'jwk' }), format: 'jwk' }],
  ['rsa', privateKey],
  ['rsa', pem('rsa2048-a.private')],
  ['p256', pem('p256-a.public')],
  ['p256', pem('p256-a.certificate')],
  ['p256', Buffer.from(pem('p256-a.certificate'))],
  ['p256', { key: pem('p256-a.encrypted.private'), passphrase: PASSWORD }],
  ['p384', pem('p384-a.public')],
  ['p521', pem('p521.public')],
  ['secp256k1', pem('secp256k1.public')],
  ['ed25519', pem('ed25519-a.public')],
  ['smallRsa', pem('rsa1024.public')],
];
