import { constants, createHash, privateEncrypt, sign } from 'node:crypto';
import { CLAIMS, HEADER, b64, claims, good, hmac, joined, segments, signatureOf, signedBy, signedToken, token } from '../tokens.mjs';
import { SECRET, privateKey, publicKey } from '../keys.mjs';
import { MALFORMED, SIGNATURE, suite } from '../suite.mjs';

const hex = (text) => Buffer.from(text, 'hex');
const filled = (length, byte) => Buffer.alloc(length, byte);

export const cut = suite('signature-stripped', 'Signatures that are missing, cut, longer or of something else.', { why: 'RFC 7515 §5.2 step 8' }, ({ refuse }) => {
  const [header, payload, mac] = segments(good());
  refuse('no signature', `${header}.${payload}.`, MALFORMED);
  refuse('no third segment', `${header}.${payload}`, MALFORMED);
  for (const alg of ['HS256', 'HS384', 'HS512', 'RS256', 'PS256', 'ES256', 'ES384', 'EdDSA']) {
    const whole = signatureOf(signedToken(alg));
    const refused = (name, bytes, code = SIGNATURE) => refuse(`${alg}: ${name}`, signedBy(signedToken(alg), bytes), code, { verifier: alg });
    refused('stripped', Buffer.alloc(0), MALFORMED);
    refused('one byte less', whole.subarray(0, -1));
    refused('its first half', whole.subarray(0, whole.length / 2));
    refused('one byte', whole.subarray(0, 1));
    refused('a NUL after it', Buffer.concat([whole, filled(1, 0)]));
    refused('a NUL before it', Buffer.concat([filled(1, 0), whole]));
    refused('twice', Buffer.concat([whole, whole]));
    refused('all zero', filled(whole.length, 0));
    refused('all ones', filled(whole.length, 0xff));
    refused('a bit flipped at its begin', Buffer.from(whole.map((byte, at) => byte ^ (at === 0 ? 1 : 0))));
    refused('a bit flipped at its end', Buffer.from(whole.map((byte, at) => byte ^ (at === whole.length - 1 ? 0x40 : 0))));
    refused('as hex text', Buffer.from(whole.toString('hex')));
  }
  refuse('the signature of other claims', `${header}.${b64(JSON.stringify(claims({ sub: 'admin' })))}.${mac}`, SIGNATURE);
  refuse('the signature of another header', `${b64(JSON.stringify({ ...HEADER, kid: 'x' }))}.${payload}.${mac}`, SIGNATURE);
  refuse('over the claims alone', joined(header, payload, hmac('HS256', SECRET, payload)), SIGNATURE);
  refuse('over the decoded text', joined(header, payload, hmac('HS256', SECRET, `${JSON.stringify(HEADER)}.${JSON.stringify(CLAIMS)}`)), SIGNATURE);
  refuse('over the segments without their dot', joined(header, payload, hmac('HS256', SECRET, header + payload)), SIGNATURE);
  refuse('over the segments with the last dot', joined(header, payload, hmac('HS256', SECRET, `${header}.${payload}.`)), SIGNATURE);
  refuse('by a plain hash', joined(header, payload, createHash('sha256').update(`${header}.${payload}`).digest()), SIGNATURE);
  refuse('by a hash after the secret', joined(header, payload, createHash('sha256').update(`${SECRET}${header}.${payload}`).digest()), SIGNATURE);
  refuse('with the secret read as hex', joined(header, payload, hmac('HS256', hex(SECRET), `${header}.${payload}`)), SIGNATURE);
  refuse('with the secret read as base64', joined(header, payload, hmac('HS256', Buffer.from(SECRET, 'base64'), `${header}.${payload}`)), SIGNATURE);
});

const es = {
  ES256: { size: 32, n: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', p: 'ffffffff00000001000000000000000000000000ffffffffffffffffffffffff' },
  ES384: { size: 48, n: 'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973', p: 'fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff' },
};
const plusOne = (text) => hex((BigInt(`0x${text}`) + 1n).toString(16).padStart(text.length, '0'));

/** An ECDSA signature as ASN.1 has it. */
function der(bytes) {
  const half = bytes.length / 2;
  const integer = (part) => {
    let value = part;
    while (value.length > 1 && value[0] === 0) value = value.subarray(1);
    if (value[0] & 0x80) value = Buffer.concat([filled(1, 0), value]);
    return Buffer.concat([Buffer.from([2, value.length]), value]);
  };
  const content = Buffer.concat([integer(bytes.subarray(0, half)), integer(bytes.subarray(half))]);
  return Buffer.concat([Buffer.from([0x30, content.length]), content]);
}

export const ecdsa = suite('signature-ecdsa', 'Numbers that are no ECDSA signature, and forms that JWS does not have.', { why: 'RFC 7518 §3.4, FIPS 186-5 §6.4.2: 0 < r, s < n; R || S of fixed length' }, ({ refuse }) => {
  for (const [alg, { size, n, p }] of Object.entries(es)) {
    const whole = signatureOf(signedToken(alg));
    const [r, s] = [whole.subarray(0, size), whole.subarray(size)];
    const [zero, one] = [filled(size, 0), Buffer.concat([filled(size - 1, 0), filled(1, 1)])];
    const refused = (name, ...parts) => refuse(`${alg}: ${name}`, signedBy(signedToken(alg), Buffer.concat(parts)), SIGNATURE, { verifier: alg });
    refused('r = 0, s = 0', zero, zero);
    refused('r = 0', zero, s);
    refused('s = 0', r, zero);
    refused('r = 1, s = 1', one, one);
    refused('r = 0, s = 1', zero, one);
    refused('r = 1, s = 0', one, zero);
    refused('r = n, s = n', hex(n), hex(n));
    refused('r = n', hex(n), s);
    refused('s = n', r, hex(n));
    refused('r = n + 1', plusOne(n), s);
    refused('s = n + 1', r, plusOne(n));
    refused('r = n, s = 1', hex(n), one);
    refused('r = p', hex(p), s);
    refused('r is the largest', filled(size, 0xff), s);
    refused('s is the largest', r, filled(size, 0xff));
    refused('r and s swapped', s, r);
    refused('DER instead of R || S', der(whole));
    refused('R alone', r);
    refused('S alone', s);
    refused('a NUL before R and before S', filled(1, 0), r, filled(1, 0), s);
    refused('without its leading bytes', r.subarray(1), s.subarray(1));
    refused('DER of zeros', hex('3006020100020100'));
    refused('DER of nothing', hex('3000'));
  }
  refuse('a signature by P-384 under ES256', joined(...segments(signedToken('ES256')).slice(0, 2), signatureOf(signedToken('ES384'))), SIGNATURE, { verifier: 'ES256' });
});

const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const littleEndian = (number) => hex(number.toString(16).padStart(64, '0')).reverse();
const fromLittleEndian = (bytes) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);

/** Points whose order divides 8, in all encodings that some library reads. */
export const smallOrder = {
  'the neutral point': `01${'00'.repeat(31)}`,
  'the neutral point with a sign': `01${'00'.repeat(30)}80`,
  'the neutral point, not reduced': `ee${'ff'.repeat(30)}7f`,
  'the point of order 2': `ec${'ff'.repeat(30)}7f`,
  'the point of order 2 with a sign': `ec${'ff'.repeat(31)}`,
  'a point of order 4': '00'.repeat(32),
  'a point of order 4 with a sign': `${'00'.repeat(31)}80`,
  'a point of order 4, not reduced': `ed${'ff'.repeat(30)}7f`,
  'a point of order 8': '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'a point of order 8 with a sign': '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'another point of order 8': 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'another point of order 8 with a sign': 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
};

export const ed25519 = suite('signature-ed25519', 'Points of small order, numbers that are not reduced, and lengths that are wrong.', { why: 'RFC 8032 §5.1.7: S < L, R and A canonical', verifier: 'EdDSA' }, ({ refuse }) => {
  const text = token({ alg: 'EdDSA', typ: 'at+jwt' }, CLAIMS, 'EdDSA');
  const whole = signatureOf(text);
  const [R, S] = [whole.subarray(0, 32), whole.subarray(32)];
  const s = fromLittleEndian(S);
  const refused = (name, ...parts) => refuse(name, signedBy(text, Buffer.concat(parts)), SIGNATURE);
  for (const [name, point] of Object.entries(smallOrder)) {
    refused(`R is ${name}, S is 0`, hex(point), filled(32, 0));
    refused(`R is ${name}`, hex(point), S);
  }
  refused('S is 0', R, filled(32, 0));
  refused('S + L', R, littleEndian(s + L));
  for (const times of [2n, 4n, 7n, 14n]) refused(`S + ${times} L`, R, littleEndian(s + times * L));
  refused('S is L', R, littleEndian(L));
  refused('S with its highest bit', R, Buffer.from(S.map((byte, at) => byte ^ (at === 31 ? 0x80 : 0))));
  refused('R with the other sign', Buffer.from(R.map((byte, at) => byte ^ (at === 31 ? 0x80 : 0))), S);
  refused('R is the public key', Buffer.from(publicKey('ed25519-a').export({ format: 'jwk' }).x, 'base64url'), S);
  refused('R and S swapped', S, R);
  refused('R alone', R);
  refuse('a hash is signed instead of the text', (() => {
    const [header, payload] = segments(text);
    return joined(header, payload, sign(null, createHash('sha512').update(`${header}.${payload}`).digest(), privateKey('ed25519-a')));
  })(), SIGNATURE, { why: 'RFC 8037 §3.1: PureEdDSA' });
});

/** A PKCS#1 v1.5 block that is built by hand: what is within it is up to the caller. */
function rsaBlock(content, { type = 1, padding = 0xff } = {}) {
  const block = Buffer.concat([Buffer.from([0, type]), filled(256 - content.length - 3, padding), filled(1, 0), content]);
  return privateEncrypt({ key: privateKey('rsa2048-a'), padding: constants.RSA_NO_PADDING }, block);
}

const PREFIX = { sha256: '3031300d060960864801650304020105000420', sha1: '3021300906052b0e03021a05000414', noNull: '302f300b0609608648016503040201 0420'.replace(' ', '') };

export const rsa = suite('signature-rsa', 'Padding that is not what RSASSA asks for.', { why: 'RFC 8017 §8.2.2: the encoded message is compared whole', verifier: 'RS256' }, ({ refuse }) => {
  const [header, payload] = segments(token({ alg: 'RS256', typ: 'at+jwt' }, CLAIMS, 'RS256'));
  const input = `${header}.${payload}`;
  const digest = (name) => createHash(name).update(input).digest();
  const info = (name) => Buffer.concat([hex(PREFIX[name]), digest(name === 'noNull' ? 'sha256' : name)]);
  const refused = (name, bytes) => refuse(name, joined(header, payload, bytes), SIGNATURE);
  refused('a bare hash without DigestInfo', rsaBlock(digest('sha256')));
  refused('DigestInfo without NULL', rsaBlock(info('noNull')));
  refused('SHA-1', rsaBlock(info('sha1')));
  refused('block type 2', rsaBlock(info('sha256'), { type: 2 }));
  refused('block type 0', rsaBlock(info('sha256'), { type: 0, padding: 0 }));
  refused('padding that is not FF', rsaBlock(info('sha256'), { padding: 0xfe }));
  refused('short padding and bytes after the hash', (() => {
    const content = Buffer.concat([info('sha256'), filled(256 - 11 - 51, 0)]);
    return privateEncrypt({ key: privateKey('rsa2048-a'), padding: constants.RSA_NO_PADDING }, Buffer.concat([hex('0001'), filled(8, 0xff), filled(1, 0), content]));
  })());
  refused('the signature is 1', Buffer.concat([filled(255, 0), filled(1, 1)]));
  refused('the signature is the modulus', Buffer.from(publicKey('rsa2048-a').export({ format: 'jwk' }).n, 'base64url'));
  // One of 256 signatures begins with a zero byte. Its length stays that of the modulus (RFC 8017 §8.2.2 step 1).
  for (let n = 0; ; n += 1) {
    const text = token({ alg: 'RS256', typ: 'at+jwt' }, claims({ n }), 'RS256');
    if (signatureOf(text)[0] !== 0) continue;
    refuse('its leading zero left out', signedBy(text, signatureOf(text).subarray(1)), SIGNATURE);
    break;
  }
  const pssInput = segments(token({ alg: 'PS256', typ: 'at+jwt' })).slice(0, 2).join('.');
  const refusedPss = (name, options) => refuse(`PS256: ${name}`, joined(...pssInput.split('.'), rsaPss(pssInput, options)), SIGNATURE, { verifier: 'PS256', why: 'RFC 7518 §3.5: the salt is as long as the hash, and MGF1 uses the same hash' });
  refusedPss('no salt', { salt: 0 });
  refusedPss('a salt of 20 bytes', { salt: 20 });
  refusedPss('the longest salt', { salt: 222 });
  refusedPss('MGF1 with SHA-1', { mask: 'sha1' });
  refusedPss('SHA-1', { hash: 'sha1', mask: 'sha1', salt: 20 });
  refusedPss('another last byte', { trailer: 0xcc });
});

/** RSASSA-PSS with a salt that is given, so that the bytes are the same each time (RFC 8017 §9.1.1). */
function rsaPss(input, { salt = 32, hash = 'sha256', mask = hash, trailer = 0xbc }) {
  const digest = (name, ...parts) => createHash(name).update(Buffer.concat(parts)).digest();
  const salted = filled(salt, 0x5a);
  const h = digest(hash, filled(8, 0), digest(hash, Buffer.from(input)), salted);
  const db = Buffer.concat([filled(256 - h.length - salt - 2, 0), filled(1, 1), salted]);
  const counters = Array.from({ length: 16 }, (_, n) => digest(mask, h, Buffer.from([0, 0, 0, n])));
  const stream = Buffer.concat(counters);
  const masked = Buffer.from(db.map((byte, at) => byte ^ stream[at]));
  masked[0] &= 0x7f;
  return privateEncrypt({ key: privateKey('rsa2048-a'), padding: constants.RSA_NO_PADDING }, Buffer.concat([masked, h, Buffer.from([trailer])]));
}
