import { HEADER, NOW, b64, claimsAnd, claims, segments, signatureOf, signedBy, token } from '../tokens.mjs';
import { rfcRefused, rfcTokens } from '../rfc.mjs';
import { ALG, MALFORMED, MISSING, SIGNATURE, suite } from '../suite.mjs';

export const prototype = suite('prototype', 'Claims by the names that JavaScript gives a meaning to. They are claims like others, and change nothing else.', { why: 'RFC 7519 §4.3: private names' }, ({ accept, refuse }) => {
  const texts = {
    '__proto__ with an object': '"__proto__":{"admin":true}', '__proto__ with text': '"__proto__":"admin"', '__proto__ with null': '"__proto__":null', '__proto__ by escapes': '"\\u005f_proto__":{"admin":true}',
    'constructor': '"constructor":{"prototype":{"admin":true}}', 'prototype': '"prototype":{"admin":true}', '__proto__ within a claim': '"x":{"__proto__":{"admin":true},"y":[{"__proto__":{"admin":true}}]}',
    'toString and valueOf': '"toString":"x","valueOf":1', 'hasOwnProperty': '"hasOwnProperty":true', 'toJSON': '"toJSON":"x"', 'then': '"then":"x"', '__defineGetter__': '"__defineGetter__":"x","__lookupGetter__":"y"',
    'length': '"length":9', 'Symbol.iterator': '"Symbol.iterator":1', 'numbers as names': '"0":"a","1":"b"',
  };
  for (const [name, text] of Object.entries(texts)) accept(name, token(HEADER, claimsAnd(text)));
  accept('__proto__ in the header', token('{"alg":"HS256","typ":"at+jwt","__proto__":{"alg":"none"},"constructor":{"prototype":{}}}'));
  refuse('alg from __proto__', token('{"typ":"at+jwt","__proto__":{"alg":"HS256"}}'), MALFORMED);
  refuse('sub from __proto__', token(HEADER, JSON.stringify(claims({ sub: undefined })).replace('}', ',"__proto__":{"sub":"admin"}}')), MISSING);
  refuse('exp from __proto__', token(HEADER, JSON.stringify(claims({ exp: undefined })).replace('}', `,"__proto__":{"exp":${NOW + 9}}}`)), MISSING);
});

export const standards = suite('standards', 'The examples of the RFCs. Their claims are not those of an access token, so that what tells a good signature is the error that comes after it.', { why: '' }, ({ refuse }) => {
  for (const [name, text] of Object.entries(rfcTokens)) {
    const why = name.replace('rfc', 'RFC ').replace('-', ' ').toUpperCase();
    const is7515 = name.startsWith('rfc7515');
    const now = is7515 ? 1_300_819_379 : NOW;
    refuse(`${why}: the signature is good`, text, is7515 ? MISSING : MALFORMED, { why: `${why}; then ${is7515 ? 'there is no sub' : 'the payload is no JSON'}`, verifier: name, now });
    const bytes = signatureOf(text);
    refuse(`${why}: another signature`, signedBy(text, Buffer.from(bytes.map((byte, at) => byte ^ (at === 7 ? 1 : 0)))), SIGNATURE, { why, verifier: name, now });
    const [header, payload, mac] = segments(text);
    refuse(`${why}: another payload`, `${header}.${b64(Buffer.concat([Buffer.from(payload, 'base64url'), Buffer.from(' ')]))}.${mac}`, SIGNATURE, { why, verifier: name, now });
  }
  for (const [name, text] of Object.entries(rfcRefused)) refuse(name, text, name.includes('ES512') ? ALG : MALFORMED, { why: name, verifier: 'rfc7515-a3' });
});
