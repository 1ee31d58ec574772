import { CLAIMS, HEADER, NOW, b64, claims, hmac, joined, token } from '../tokens.mjs';
import { SECRET, privateKey, publicKey } from '../keys.mjs';
import { CRIT, INVALID, KEY, MALFORMED, SIGNATURE, TYP, shown, suite } from '../suite.mjs';

export const crit = suite('crit', 'Extensions that must be understood, and are not.', { why: 'RFC 7515 §4.1.11: what crit lists must be understood, else the token is refused' }, ({ refuse, accept }) => {
  const headers = {
    'exp': '"crit":["exp"],"exp":1', 'b64': '"crit":["b64"],"b64":true', 'an extension': '"crit":["http://example.com/UNDEFINED"],"http://example.com/UNDEFINED":true',
    'an extension that is absent': '"crit":["x"]', 'alg': '"crit":["alg"]', 'an empty list': '"crit":[]', 'a text': '"crit":"exp"', 'null': '"crit":null', 'a number': '"crit":1', 'false': '"crit":false', 'an object': '"crit":{}',
    'numbers in the list': '"crit":[1]', 'null in the list': '"crit":[null]', 'an empty name': '"crit":[""]', 'a name twice': '"crit":["x","x"],"x":1', '__proto__': '"crit":["__proto__"],"__proto__":1', 'by escapes': '"cr\\u0069t":["x"],"x":1',
  };
  for (const [name, text] of Object.entries(headers)) refuse(`crit: ${name}`, token(`{"alg":"HS256","typ":"at+jwt",${text}}`), CRIT);
  const b64_ = { why: 'RFC 7797 §3, §7: b64 false is not for JWTs' };
  for (const value of ['false', 'null', '0', '1', '"true"', '"false"', '[]']) refuse(`b64: ${value}`, token(`{"alg":"HS256","typ":"at+jwt","b64":${value}}`), CRIT, b64_);
  const header = b64('{"alg":"HS256","typ":"at+jwt","b64":false,"crit":["b64"]}');
  const detached = hmac('HS256', SECRET, `${header}.${JSON.stringify(CLAIMS)}`);
  refuse('b64 false: signed as RFC 7797 says', joined(header, b64(JSON.stringify(CLAIMS)), detached), CRIT, b64_);
  refuse('b64 false: the claims as they are', joined(header, JSON.stringify(CLAIMS).replaceAll('.', '\\u002e'), detached), CRIT, b64_);
  accept('crit is a claim', token(HEADER, claims({ crit: ['x'] })), { why: 'RFC 7515 §4.1.11 is about headers' });
});

const refresh = { sub: 'user-7', sid: 'BwcHBwcHBwcHBwcHBwcHBw', gen: 0, brn: 0, jti: 'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE', iat: NOW * 1000, exp: (NOW + 1_209_600) * 1000 };

export const typ = suite('typ', 'Tokens of one kind in the place of another.', { why: 'RFC 8725 §3.11, RFC 9068 §4: typ is at+jwt' }, ({ refuse }) => {
  for (const value of ['rt+jwt', 'RT+JWT', 'application/rt+jwt', 'JWT', 'jwt', 'JOSE', 'JWE', 'dpop+jwt', 'logout+jwt', 'secevent+jwt', 'oauth-authz-req+jwt', 'token-introspection+jwt', 'id+jwt', '', ' at+jwt', 'at+jwt ', 'at-jwt', 'at+jwt2', 'xat+jwt', 'text/at+jwt', 'application/', 'application/application/at+jwt', 'at+jwt; charset=utf-8', 'at+jwt\u0000', 'at%2Bjwt', '\uff41t+jwt', 'access', 'Bearer']) {
    refuse(shown(value), token({ alg: 'HS256', typ: value }), TYP);
  }
  refuse('no typ', token({ alg: 'HS256' }), TYP);
  for (const value of ['1', 'null', 'true', '[]', '["at+jwt"]', '{}']) refuse(`typ is ${value}`, token(`{"alg":"HS256","typ":${value}}`), MALFORMED, { why: 'RFC 7515 §4.1.9: a string' });
  refuse('typ as a claim', token({ alg: 'HS256' }, claims({ typ: 'at+jwt' })), TYP);
  refuse('token_use as a claim', token({ alg: 'HS256', typ: 'JWT' }, claims({ token_use: 'access' })), TYP);
  refuse('a refresh token, were it of the same secret', token({ alg: 'HS256', typ: 'rt+jwt' }, refresh), TYP);
  refuse('a refresh token that calls itself at+jwt', token(HEADER, refresh), 'ERR_ISSUER_MISMATCH');
  refuse('a refresh token, were it of the same secret: legacy', token({ alg: 'HS256', typ: 'rt+jwt' }, refresh), TYP, { verifier: 'legacy' });
  refuse('an old app\'s refresh token: legacy', token({ alg: 'HS256', typ: 'JWT' }, claims({ exp: NOW + 1_209_600 })), INVALID, { verifier: 'legacy' });
  for (const value of ['dpop+jwt', 'logout+jwt', 'id+jwt']) refuse(`legacy: ${value}`, token({ alg: 'HS256', typ: value }), TYP, { verifier: 'legacy' });
});

export const kid = suite('kid-injection', 'Names of keys that want to be something else, and keys that a token brings along.', { why: 'RFC 8725 §3.10, RFC 7515 §4.1.4', verifier: 'named' }, ({ refuse }) => {
  const names = ['', ' ', 'MAC', 'mac ', ' mac', 'mac\u0000', 'mac\n', 'm\u0430c', 'other', '../../../../dev/null', '/dev/null', 'file:///dev/null', 'C:\\Windows\\win.ini', 'https://evil.test/key', '//evil.test/key', "' OR '1'='1", "x' UNION SELECT 'AAAA' --", '$(id)', '`id`', '| id', '${jndi:ldap://evil.test/a}', '{{7*7}}', '%00', '*', '..', '__proto__', 'constructor', 'toString', 'hasOwnProperty', '0', 'x'.repeat(2000), '\uac00'.repeat(300)];
  for (const value of names) {
    refuse(`${shown(value)}, signed with an empty secret`, token({ ...HEADER, kid: value }, CLAIMS, 'HS256', ''), KEY);
    refuse(`${shown(value)}, signed with a known secret`, token({ ...HEADER, kid: value }), KEY);
  }
  for (const value of ['1', 'null', 'true', '[]', '["mac"]', '{}', '{"toString":"mac"}']) refuse(`kid is ${value}`, token(`{"alg":"HS256","typ":"at+jwt","kid":${value}}`), MALFORMED, { why: 'RFC 7515 §4.1.4: a string' });
  const jwk = publicKey('rsa2048-b').export({ format: 'jwk' });
  const brought = {
    'jwk, a secret': { jwk: { kty: 'oct', k: b64('attacker') } }, 'jwk, a public key': { jwk },
    'jku': { jku: 'https://evil.test/jwks.json' }, 'x5u': { x5u: 'https://evil.test/cert.pem' }, 'x5c': { x5c: ['AAAA'] },
    'jku with the kid of a key': { jku: 'https://evil.test/jwks.json', kid: 'mac' }, 'jwk with the kid of a key': { jwk: { kty: 'oct', k: b64('attacker'), kid: 'mac' }, kid: 'mac' },
    'x5t of a key': { x5t: 'AAAA', 'x5t#S256': 'AAAA' }, 'k': { k: b64('attacker') }, 'keys': { keys: [{ kty: 'oct', k: b64('attacker') }] },
  };
  for (const [name, extra] of Object.entries(brought)) refuse(`a key of the token's own: ${name}`, token({ ...HEADER, ...extra }, CLAIMS, 'HS256', 'attacker'), SIGNATURE, { why: 'RFC 8725 §3.10: keys come from the configuration alone' });
  refuse('jwk, a public key, and its signature', token({ alg: 'RS256', typ: 'at+jwt', jwk }, CLAIMS, 'RS256', privateKey('rsa2048-b')), SIGNATURE);
});
