// Keys that no verifier may take: refused when it is made, before any token.
import { createPrivateKey } from 'node:crypto';
import { SECRET, pem, publicKey, publicPem } from '../keys.mjs';
import { b64 } from '../tokens.mjs';
import { smallOrder } from './signatures.mjs';

const pemOf = (label, der) => `-----BEGIN ${label}-----\n${der.toString('base64').match(/.{1,64}/g).join('\n')}\n-----END ${label}-----\n`;
const tlv = (tag, ...parts) => {
  const content = Buffer.concat(parts);
  const length = content.length < 128 ? [content.length] : content.length < 256 ? [0x81, content.length] : [0x82, content.length >> 8, content.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
};
const hex = (text) => Buffer.from(text, 'hex');
const OIDS = { rsa: '06092a864886f70d0101010500', p256: '06072a8648ce3d020106082a8648ce3d030107', p384: '06072a8648ce3d020106052b81040022', ed25519: '06032b6570', x25519: '06032b656e', ed448: '06032b6571' };
/** A SubjectPublicKeyInfo of whatever bits. */
const spki = (kind, bits) => pemOf('PUBLIC KEY', tlv(0x30, tlv(0x30, hex(OIDS[kind])), tlv(3, Buffer.concat([Buffer.from([0]), bits]))));
const integer = (bytes) => tlv(2, bytes[0] & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
const rsa = (n, e) => spki('rsa', tlv(0x30, integer(n), integer(e)));
const ones = (length) => Buffer.alloc(length, 0xff);
const E = Buffer.from([1, 0, 1]);
const n = Buffer.from(publicKey('rsa2048-a').export({ format: 'jwk' }).n, 'base64url');
const point = (name) => {
  const { x, y } = publicKey(name).export({ format: 'jwk' });
  return [Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')];
};
const [x, y] = point('p256-a');
const four = Buffer.from([4]);

export const cases = [];
const refuse = (name, why, key, field = key.publicKey === undefined ? 'secret' : 'publicKey') => cases.push({ name, why, key, field });
const pair = (alg, text) => ({ alg, publicKey: text });
const secret = (alg, bytes) => ({ alg, secret: b64(bytes) });

for (const [name, text] of Object.entries({
  'of 1024 bits': publicPem('rsa1024'), 'of 2047 bits': rsa(Buffer.concat([Buffer.from([0x7f]), ones(255)]), E), 'of 512 bits': rsa(ones(64), E), 'of 16384 bits': rsa(ones(2048), E),
  'with an even modulus': rsa(Buffer.from(n.map((byte, at) => (at === 255 ? byte & 0xfe : byte))), E),
  'with the exponent 1': rsa(n, Buffer.from([1])), 'with the exponent 0': rsa(n, Buffer.from([0])), 'with the exponent 2': rsa(n, Buffer.from([2])), 'with an even exponent': rsa(n, Buffer.from([1, 0, 0])), 'with an exponent of 5 bytes': rsa(n, Buffer.from([1, 0, 0, 0, 1])), 'with an exponent as long as the modulus': rsa(n, n),
  'restricted to RSASSA-PSS': publicPem('rsapss2048'), 'whose bits are no RSA key': spki('rsa', ones(40)),
})) for (const alg of ['RS256', 'PS256']) refuse(`${alg}: an RSA key ${name}`, 'RFC 7518 §3.3, RFC 8017 §3.1', pair(alg, text));

for (const [name, text] of Object.entries({
  'a point off the curve': spki('p256', Buffer.concat([four, x, Buffer.from(y.map((byte, at) => (at === 31 ? byte ^ 1 : byte)))])), 'the origin': spki('p256', Buffer.concat([four, Buffer.alloc(64)])), 'the point at infinity': spki('p256', Buffer.from([0])),
  'coordinates that are not reduced': spki('p256', Buffer.concat([four, ones(64)])), 'a compressed point': spki('p256', Buffer.concat([Buffer.from([2 + (y[31] & 1)]), x])), 'a hybrid point': spki('p256', Buffer.concat([Buffer.from([6 + (y[31] & 1)]), x, y])),
  'a point that is cut': spki('p256', Buffer.concat([four, x, y.subarray(1)])), 'a byte too many': spki('p256', Buffer.concat([four, x, y, four])),
  'P-384': publicPem('p384-a'), 'P-521': publicPem('p521'), 'secp256k1': publicPem('secp256k1'), 'Ed25519': publicPem('ed25519-a'), 'RSA': publicPem('rsa2048-a'),
  'a point of P-384 that says P-256': spki('p256', Buffer.concat([four, ...point('p384-a')])), 'a point of P-256 that says P-384': spki('p384', Buffer.concat([four, x, y])),
})) refuse(`ES256: ${name}`, 'RFC 7518 §6.2, SEC 1 §3.2.2', pair('ES256', text));
refuse('ES384: P-256', 'RFC 7518 §3.4', pair('ES384', publicPem('p256-a')));

for (const [name, bytes] of Object.entries(smallOrder)) refuse(`EdDSA: the key is ${name}`, 'RFC 8032 §5.1.7, RFC 8037 §5: one signature of such a key fits many texts', pair('EdDSA', spki('ed25519', hex(bytes))));
for (const [name, bytes] of Object.entries({ 'all ones': ones(32), 'a number that is not reduced': hex(`f0${'ff'.repeat(30)}7f`), 'no point': hex(`02${'00'.repeat(31)}`), '31 bytes': ones(31), '33 bytes': Buffer.alloc(33, 9), 'no bytes': Buffer.alloc(0) })) refuse(`EdDSA: the key is ${name}`, 'RFC 8032 §5.1.3', pair('EdDSA', spki('ed25519', bytes)));
refuse('EdDSA: an X25519 key', 'RFC 8037 §3.1', pair('EdDSA', spki('x25519', Buffer.alloc(32, 9))));
refuse('EdDSA: an Ed448 key', 'RFC 8037 §3.1: not supported', pair('EdDSA', spki('ed448', Buffer.alloc(57, 9))));

for (const [name, text] of Object.entries({
  'nothing': '', 'a word': 'key', 'a private key': pem('p256-a.private'), 'a certificate': pem('p256-a.certificate'), 'a PEM file of nothing': '-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n', 'a PEM file that is cut': publicPem('p256-a').slice(0, 120),
  'the base64 alone': publicPem('p256-a').split('\n')[1], 'a JWK': JSON.stringify(publicKey('p256-a').export({ format: 'jwk' })), 'bytes after the key': pemOf('PUBLIC KEY', Buffer.concat([publicKey('p256-a').export({ type: 'spki', format: 'der' }), Buffer.from([0])])),
})) refuse(`ES256: ${name} in the place of a public key`, 'RFC 7468 §13', pair('ES256', text));
refuse('HS256 with a public key', 'RFC 8725 §3.1', pair('HS256', publicPem('rsa2048-a')));

for (const [alg, least] of Object.entries({ HS256: 32, HS384: 48, HS512: 64 })) {
  refuse(`${alg}: a secret of ${least - 1} bytes`, 'RFC 7518 §3.2: as long as the hash', secret(alg, SECRET.slice(0, least - 1)));
  refuse(`${alg}: an empty secret`, 'RFC 7518 §3.2', secret(alg, ''));
}
refuse('RS256 with a secret', 'RFC 8725 §3.1', secret('RS256', SECRET));
const der = (name, type) => publicKey(name).export({ type, format: 'der' });
for (const [name, bytes] of Object.entries({
  'a public key in PEM': publicPem('rsa2048-a'), 'a private key in PEM': pem('p256-a.private'), 'a certificate in PEM': pem('p256-a.certificate'), 'a PEM file on one line': publicPem('p256-a').replaceAll('\n', '\\n'),
  'an RSA key in DER': der('rsa2048-a', 'spki'), 'an RSA key in DER, PKCS#1': der('rsa2048-a', 'pkcs1'), 'an EC key in DER': der('p256-a', 'spki'), 'an Ed25519 key in DER': der('ed25519-a', 'spki'), 'a private key in DER': createPrivateKey(pem('ed25519-a.private')).export({ type: 'pkcs8', format: 'der' }),
  'a JWK of an RSA key': JSON.stringify(publicKey('rsa2048-a').export({ format: 'jwk' })), 'a JWK of an EC key, with spaces': JSON.stringify(publicKey('p256-a').export({ format: 'jwk' }), null, 2), 'a JWK Set': JSON.stringify({ keys: [publicKey('p256-a').export({ format: 'jwk' })] }),
  'a key of SSH': `ssh-ed25519 ${Buffer.concat([hex('0000000b'), Buffer.from('ssh-ed25519'), hex('00000020'), der('ed25519-a', 'spki').subarray(-32)]).toString('base64')} user@host\n`,
})) refuse(`HS256: ${name} as a secret`, 'RFC 8725 §3.1: whoever knows a public key could sign with it', secret('HS256', bytes));
// Base64 of a key, as a PEM file holds it between its first and its last line.
for (const name of ['p256-a', 'ed25519-a', 'rsa2048-a']) {
  const der = publicKey(name).export({ type: 'spki', format: 'der' });
  for (const [form, text] of Object.entries({
    'base64': der.toString('base64'), 'base64url': der.toString('base64url'), 'base64 without padding': der.toString('base64').replace(/=+$/, ''),
    'lines of base64': `\n${der.toString('base64').match(/.{1,64}/g).join('\r\n')}\n`,
  })) refuse(`HS256: the public key ${name} as ${form}`, 'RFC 8725 §2.1: everybody knows it', secret('HS256', text));
}
refuse('HS256: a private key as base64', 'RFC 8725 §2.1', secret('HS256', createPrivateKey(pem('p256-a.private')).export({ type: 'pkcs8', format: 'der' }).toString('base64')));
