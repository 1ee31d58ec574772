import { CLAIMS, HEADER, NOW, claims, claimsAnd, claimsWith, signatureOf, signedBy, signedToken, token } from '../tokens.mjs';
import { pairOf } from '../keys.mjs';
import { suite } from '../suite.mjs';

const N = {
  ES256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  ES384: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
};
/** The other valid form of an ECDSA signature: (r, n - s). */
function otherForm(alg) {
  const bytes = signatureOf(signedToken(alg));
  const half = bytes.length / 2;
  const s = N[alg] - BigInt(`0x${bytes.subarray(half).toString('hex')}`);
  return signedBy(signedToken(alg), Buffer.concat([bytes.subarray(0, half), Buffer.from(s.toString(16).padStart(half * 2, '0'), 'hex')]));
}

export default suite('valid', 'What must be accepted: strictness that refuses good tokens is a fault too.', { why: 'RFC 7519 §7.2' }, ({ accept }) => {
  for (const alg of ['HS256', 'HS384', 'HS512', ...Object.keys(pairOf)]) {
    accept(`signed with ${alg}`, signedToken(alg), { verifier: alg, why: 'RFC 7518 §3.1' });
  }
  accept('EdDSA by its name Ed25519', token({ alg: 'Ed25519', typ: 'at+jwt' }, CLAIMS, 'EdDSA'), { verifier: 'EdDSA', why: 'RFC 9864 §2.2' });
  for (const alg of Object.keys(N)) {
    accept(`${alg}: the other form of the same signature`, otherForm(alg), { verifier: alg, why: 'RFC 7518 §3.4: (r, n-s) is as valid, so nothing may be keyed on the text of a token' });
  }
  for (const typ of ['AT+JWT', 'At+Jwt', 'application/at+jwt', 'Application/AT+JWT']) {
    accept(`typ ${typ}`, token({ alg: 'HS256', typ }), { why: 'RFC 9068 §4, RFC 7515 §4.1.9: a media type, without regard to case' });
  }
  const unknown = { jku: 'https://keys.test/jwks.json', x5u: 'https://keys.test/x', x5t: 'AA', cty: 'json', 'https://app.test/x': [1] };
  accept('header parameters that are not understood are ignored', token({ ...HEADER, ...unknown }), { why: 'RFC 7515 §4' });
  accept('b64 true, which is the default', token({ ...HEADER, b64: true }), { why: 'RFC 7797 §3' });
  accept('a kid where no key has a name', token({ ...HEADER, kid: 'any' }), { why: 'RFC 7515 §4.1.4: a hint' });
  accept('a key by its kid', token({ ...HEADER, kid: 'mac' }), { verifier: 'named', why: 'RFC 7515 §4.1.4' });
  accept('white space in the header', token('\n{ "typ" : "at+jwt" ,\t"alg":"HS256" }\r\n'), { why: 'RFC 8259 §2' });
  accept('white space in the claims', token(HEADER, ` \t\r\n${JSON.stringify(CLAIMS, null, 2)}\n`), { why: 'RFC 8259 §2' });
  accept('escapes in the header', token('{"\\u0061lg":"HS\\u0032\\u00356","typ":"at\\u002bjwt"}'), { why: 'RFC 8259 §7' });
  accept('escapes in the names of claims', token(HEADER, claimsWith('exp', `${NOW + 900}`).replace('"exp"', '"\\u0065x\\u0070"')), { why: 'RFC 8259 §7' });
  accept('a surrogate pair as escapes', token(HEADER, claimsAnd('"face":"\\ud83d\\ude00"')), { why: 'RFC 8259 §7' });
  accept('text beyond ASCII', token(HEADER, claims({ name: '홍길동 \u{1f600} \uffff' })), { why: 'RFC 8259 §8.1' });
  accept('NUL as an escape in a claim of the app', token(HEADER, claimsAnd('"note":"a\\u0000b"')), { why: 'RFC 8259 §7' });
  accept('aud as text', token(HEADER, claims({ aud: 'api' })), { why: 'RFC 7519 §4.1.3' });
  accept('aud with others beside', token(HEADER, claims({ aud: ['other', 'api', 'third'] })), { why: 'RFC 7519 §4.1.3' });
  const others = { why: 'OpenID Connect Front-Channel Logout §3: sid is any text of the issuer; RFC 7519 §4.3: so are names that nobody registered' };
  for (const text of ['"sid":"08a5019c-17e1-4977-8f42-65a12843ea02"', '"sid":""', '"sid":7', '"sid":["x"]', '"gen":1', '"brn":null', '"gen":"stable","brn":"main"', '"sid":"BwcHBwcHBwcHBwcHBwcHBw","gen":-1,"brn":0']) {
    accept(`session claims of another issuer: ${text}`, token(HEADER, claimsAnd(text)), others);
  }
  accept('no aud where no name is configured', token(HEADER, claims({ aud: undefined })), { verifier: 'no-audience', why: 'RFC 7519 §4.1.3' });
  accept('nbf is now', token(HEADER, claims({ nbf: NOW })), { why: 'RFC 7519 §4.1.5: "on or after"' });
  accept('exp is a second from now', token(HEADER, claims({ exp: NOW + 1 })), { why: 'RFC 7519 §4.1.4' });
  accept('exp a fraction from now', token(HEADER, claimsWith('exp', `${NOW}.5`)), { why: 'RFC 7519 §2: NumericDate may have a fraction', now: NOW + 0.499 });
  accept('exp with an exponent', token(HEADER, claimsWith('exp', '17000009e2')), { why: 'RFC 7519 §2, RFC 8259 §6' });
  accept('exp in milliseconds: a far future, and a number', token(HEADER, claims({ exp: (NOW + 900) * 1000 })), { why: 'RFC 7519 §4.1.4' });
  accept('exp is 2^53, the largest that JSON carries for sure', token(HEADER, claims({ exp: 2 ** 53 })), { why: 'RFC 7519 §4.1.4' });
  accept('iat in the future', token(HEADER, claims({ iat: NOW + 600 })), { why: 'RFC 7519 §4.1.6: no rule refuses it' });
  accept('iat before 1970', token(HEADER, claims({ iat: -1 })), { why: 'RFC 7519 §4.1.6' });
  accept('iat absent', token(HEADER, claims({ iat: undefined })), { why: 'RFC 7519 §4.1.6: optional' });
  accept('leeway: just expired', token(HEADER, claims({ exp: NOW - 59 })), { verifier: 'leeway', why: 'RFC 7519 §4.1.4' });
  accept('leeway: just before nbf', token(HEADER, claims({ nbf: NOW + 60 })), { verifier: 'leeway', why: 'RFC 7519 §4.1.5' });
  accept('maximum age: a second less', token(HEADER, claims({ iat: NOW - 599 })), { verifier: 'max-age', why: 'RFC 7519 §4.1.6' });
  accept('a required claim', token(HEADER, claims({ role: 'admin' })), { verifier: 'role', why: 'RFC 7519 §4' });
  accept('an empty jti', token(HEADER, claims({ jti: '' })), { why: 'RFC 7519 §4.1.7: any string' });
  accept('a session and a lineage', token(HEADER, claims({ sid: 'BwcHBwcHBwcHBwcHBwcHBw', gen: 3, brn: 0 })));
  accept('31 arrays in the claims', token(HEADER, claimsAnd(`"deep":${'['.repeat(31)}${']'.repeat(31)}`)), { why: 'RFC 8259 §9' });
  accept('300 claims', token(HEADER, claims(Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`c${n}`, n])))));
  accept('a header in another order, with typ first', token({ typ: 'at+jwt', alg: 'HS256' }));
  accept('the user by the name of the app', token(HEADER, claims({ sub: undefined, userId: 7 })), { verifier: 'user-id', subject: '7', why: 'the app\'s own claim, which may be a number' });
  accept('legacy: typ JWT', token({ alg: 'HS256', typ: 'JWT' }), { verifier: 'legacy', why: 'RFC 7519 §5.1' });
  accept('legacy: no typ', token({ alg: 'HS256' }), { verifier: 'legacy', why: 'RFC 7519 §5.1' });
  accept('legacy: at+jwt as well', token(), { verifier: 'legacy' });
  accept('legacy: an old app\'s number as sub', token({ alg: 'HS256' }, claims({ sub: 7 })), { verifier: 'legacy', subject: '7', why: 'apps from before wrote row ids' });
  accept('legacy: gen and sid are the old app\'s own', token({ alg: 'HS256' }, claims({ sid: 'x', gen: 'y' })), { verifier: 'legacy' });
  accept('rotated: the key of before', token({ alg: 'EdDSA', kid: 'old', typ: 'at+jwt' }, CLAIMS, 'EdDSA'), { verifier: 'rotated', why: 'RFC 7517 §4.5' });
});
