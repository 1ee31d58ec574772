// Tokens that ask for a refresh. A good one names a session that no store has.
import { hkdfSync } from 'node:crypto';
import { SECRET } from '../keys.mjs';
import { CLAIMS, HEADER, NOW, good, segments, token } from '../tokens.mjs';
import { ALG, CRIT, LARGE, MALFORMED, SIGNATURE, TYP } from '../suite.mjs';

/** The secret of refresh tokens that follows from the one of the app (RFC 5869). */
const DERIVED = Buffer.from(hkdfSync('sha256', SECRET, '', 'regrant refresh token v1', 32));
const header = { alg: 'HS256', typ: 'rt+jwt' };
const claims = { sub: 'user-7', sid: 'BwcHBwcHBwcHBwcHBwcHBw', gen: 0, brn: 0, jti: 'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE', iat: NOW * 1000, exp: (NOW + 1_209_600) * 1000 };
const signed = (changes = {}, head = header, secret = DERIVED) => token(head, typeof changes === 'string' ? changes : { ...claims, ...changes }, 'HS256', secret);

export const cases = [];
const refuse = (name, why, text, code) => cases.push({ name, why, now: NOW, token: text, expect: { code } });
const and = (text) => `${JSON.stringify(claims).slice(0, -1)},${text}}`;

refuse('a good one, of a session that is unknown', 'RFC 6749 §6', signed(), 'ERR_SESSION_UNKNOWN');
refuse('expired', 'RFC 6749 §6', signed({ exp: NOW * 1000 }), 'ERR_REFRESH_EXPIRED');
refuse('an access token', 'RFC 8725 §3.11', good(), TYP);
refuse('an access token, signed with the secret of refresh tokens', 'RFC 8725 §3.11', token(HEADER, CLAIMS, 'HS256', DERIVED), TYP);
for (const typ of ['JWT', 'at+jwt', '', 'rt+jwt ', 'refresh', 'dpop+jwt']) refuse(`typ ${JSON.stringify(typ)}`, 'RFC 8725 §3.11', signed({}, { ...header, typ }), TYP);
refuse('no typ', 'RFC 8725 §3.11', signed({}, { alg: 'HS256' }), TYP);
refuse('typ is a number', 'RFC 7515 §4.1.9', signed({}, '{"alg":"HS256","typ":1}'), MALFORMED);
refuse('signed with the secret of the app itself', 'RFC 8725 §3.12: a key for each kind of token', signed({}, header, SECRET), SIGNATURE);
refuse('signed with an empty secret', 'RFC 8725 §3.5', signed({}, header, ''), SIGNATURE);
for (const alg of ['none', 'None', 'HS384', 'hs256', 'RS256', '']) refuse(`alg ${JSON.stringify(alg)}`, 'RFC 8725 §3.1', signed({}, { ...header, alg }), ALG);
refuse('without a signature', 'RFC 8725 §3.2', `${segments(signed()).slice(0, 2).join('.')}.`, MALFORMED);
refuse('a signature that is cut', 'RFC 7518 §3.2', `${segments(signed()).slice(0, 2).join('.')}.AAAA`, SIGNATURE);
refuse('crit', 'RFC 7515 §4.1.11', signed({}, { ...header, crit: ['x'], x: 1 }), CRIT);
refuse('alg twice', 'RFC 7515 §4', signed({}, '{"alg":"HS256","typ":"rt+jwt","alg":"none"}'), MALFORMED);
for (const name of ['sub', 'sid', 'gen', 'brn', 'jti', 'iat', 'exp']) {
  refuse(`no ${name}`, 'its form is exact', signed({ [name]: undefined }), MALFORMED);
  refuse(`${name} is null`, 'its form is exact', signed({ [name]: null }), MALFORMED);
  refuse(`${name} twice`, 'RFC 7519 §4', signed(and(`"${name}":${JSON.stringify(claims[name])}`)), MALFORMED);
  refuse(`${name} twice, once with escapes`, 'RFC 7519 §4', signed(and(`"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}":${JSON.stringify(claims[name])}`)), MALFORMED);
}
for (const [name, value] of [['sub', 7], ['sub', ''], ['sub', ['user-7']], ['sid', 'x'], ['sid', 7], ['gen', -1], ['gen', 1.5], ['gen', '0'], ['gen', 2 ** 31 + 1], ['gen', 1], ['brn', -1], ['brn', 2 ** 32], ['jti', 'AQ'], ['jti', 'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQF'], ['iat', '1700000000000'], ['iat', 1.5], ['exp', '9999999999999'], ['exp', 1e300], ['par', 'x'], ['par', 'BwcHBwcHBwcHBwcHBwcHBw'], ['userId', 'admin'], ['__proto__x', 1]]) refuse(`${name} is ${JSON.stringify(value)}`, 'its form is exact', signed({ [name]: value }), MALFORMED);
refuse('exp is 1e999', 'RFC 8259 §6', signed(JSON.stringify({ ...claims, exp: 1 }).replace('"exp":1', '"exp":1e999')), MALFORMED);
refuse('__proto__', 'its form is exact', signed(and('"__proto__":{"sub":"admin"}')), MALFORMED);
refuse('an array', 'RFC 7519 §7.2', signed('[]'), MALFORMED);
refuse('padding after the signature', 'RFC 7515 §2', `${signed()}=`, MALFORMED);
refuse('a line break after it', 'RFC 7515 §7.1', `${signed()}\n`, MALFORMED);
refuse('5000 bytes', 'a limit of this library: 4096 bytes', signed({ sub: 'x'.repeat(5000) }), LARGE);
refuse('a word', 'RFC 7515 §7.1', 'token', MALFORMED);
