import { HEADER, NOW, claims, claimsAnd, claimsWith, token } from '../tokens.mjs';
import { AUDIENCE, EARLY, EXPIRED, INVALID, ISSUER, MALFORMED, MISSING, shown, suite } from '../suite.mjs';

const numbers = ['NaN', 'Infinity', '-Infinity', '1e999', '1e309', '-1e999', '0x6553f484', '01700000900'];
const notNumbers = ['"1700000900"', '"2099-01-01T00:00:00Z"', '"15m"', '"never"', '""', '"1e999"', '"Infinity"', 'null', 'true', 'false', '[]', '[1700000900]', '{}', '{"$numberLong":"1700000900"}'];

export const times = suite('times', 'exp, nbf and iat: limits, and what is no time.', { why: 'RFC 7519 §2 and §4.1.4 to §4.1.6: NumericDate, a JSON number' }, ({ refuse, accept }) => {
  for (const name of ['exp', 'nbf', 'iat']) {
    const with_ = (text) => token(HEADER, claimsWith(name, text));
    for (const value of numbers) refuse(`${name} is ${value}`, with_(value), MALFORMED, { why: 'RFC 8259 §6: no such number; none lasts for ever' });
    for (const value of notNumbers) refuse(`${name} is ${shown(value)}`, with_(value), INVALID);
    for (const value of ['1e300', '9007199254740993', '-9007199254740993', '18446744073709551615', '1e18', '99999999999999999999']) refuse(`${name} is ${value}, beyond what JSON carries for sure`, with_(value), INVALID, { why: 'RFC 7519 §2, RFC 8259 §6, RFC 7493 §2.2' });
  }
  const expired = (name, text, options) => refuse(name, token(HEADER, claimsWith('exp', text)), EXPIRED, { why: 'RFC 7519 §4.1.4: not accepted "on or after"', ...options });
  expired('exp is now', `${NOW}`);
  expired('exp was a second ago', `${NOW - 1}`);
  expired('exp is 0', '0');
  expired('exp is -0', '-0');
  expired('exp is -1', '-1');
  expired('exp is long before 1970', '-9007199254740991');
  expired('exp is a small fraction', '1e-7');
  expired('exp is now, as a fraction', `${NOW}.0`);
  expired('exp with a fraction, at that instant', `${NOW}.5`, { now: NOW + 0.5 });
  expired('exp a tenth of a second ago', `${NOW}.4`, { now: NOW + 0.5 });
  expired('leeway: at its end', `${NOW - 60}`, { verifier: 'leeway' });
  expired('exp is now and nbf is now', `${NOW},"nbf":${NOW}`);
  refuse('no exp', token(HEADER, claims({ exp: undefined })), MISSING, { why: 'RFC 9068 §2.2: required' });
  refuse('exp in other letters', token(HEADER, claims({ exp: undefined, EXP: NOW + 900, expires: NOW + 900, exp_: 1 })), MISSING, { why: 'RFC 7519 §4: names are case-sensitive' });
  const early = (name, text, options) => refuse(name, token(HEADER, claimsWith('nbf', text)), EARLY, { why: 'RFC 7519 §4.1.5', ...options });
  early('nbf is a second from now', `${NOW + 1}`);
  early('nbf a fraction from now', `${NOW}.5`, { now: NOW + 0.499 });
  early('nbf far in the future', '4102444800');
  early('leeway: nbf just beyond', `${NOW + 61}`, { verifier: 'leeway' });
  refuse('nbf after exp', token(HEADER, claims({ nbf: NOW + 950 })), EARLY, { now: NOW + 920, why: 'RFC 7519 §4.1.5: expiry is told last' });
  const aged = (name, changes, code) => refuse(`maximum age: ${name}`, token(HEADER, claims(changes)), code, { verifier: 'max-age', why: 'RFC 7519 §4.1.6: iat tells the age' });
  aged('reached', { iat: NOW - 600 }, EXPIRED);
  aged('no iat', { iat: undefined }, MISSING);
  aged('an iat of 1970', { iat: 0 }, EXPIRED);
  accept('nbf of long ago', token(HEADER, claims({ nbf: -1 })));
  const legacy = (name, changes, code) => refuse(`legacy: ${name}`, token({ alg: 'HS256' }, claims(changes)), code, { verifier: 'legacy', why: 'only the lifetime tells an old app\'s access token from its refresh token' });
  legacy('lives longer than a day', { exp: NOW + 86_401 }, INVALID);
  legacy('lives long, without iat', { iat: undefined, exp: NOW + 86_401 }, INVALID);
  legacy('an iat of 1970', { iat: 0 }, INVALID);
  legacy('no exp', { exp: undefined }, MISSING);
  legacy('exp is now', { exp: NOW }, EXPIRED);
});

export const types = suite('claim-types', 'Registered claims of a wrong type, or of another value.', { why: 'RFC 7519 §4.1' }, ({ refuse }) => {
  const refused = (name, text, code, options) => refuse(`${name} is ${shown(text)}`, token(HEADER, claimsWith(name, text)), code, options);
  const iss = { why: 'RFC 7519 §4.1.1: one StringOrURI, compared as it is' };
  for (const text of ['["https://issuer.test"]', '1', 'null', 'true', '{}', '[]', '{"https://issuer.test":1}']) refused('iss', text, INVALID, iss);
  for (const text of ['""', '"https://issuer.test/"', '"https://Issuer.test"', '"https://issuer"', '"https://issuer.test.evil.test"', '"https://issuer.test\\u0000"', '" https://issuer.test"', '"http://issuer.test"', '"https:\\/\\/issuer.test/x"', '"*"', '"https://issuer.test,other"']) refused('iss', text, ISSUER, iss);
  refuse('no iss', token(HEADER, claims({ iss: undefined })), ISSUER, { why: 'RFC 9068 §4: iss is checked, so it must be there' });
  const aud = { why: 'RFC 7519 §4.1.3: a StringOrURI or an array of them, one of which is ours' };
  for (const text of ['1', 'null', 'true', '{}', '{"api":true}', '[1]', '["api",1]', '["api",null]', '[["api"]]', '["api",{}]']) refused('aud', text, INVALID, aud);
  for (const text of ['""', '[]', '[""]', '"API"', '"api "', '"ap"', '"api,other"', '"api other"', '"api\\u0000"', '["other"]', '"*"', '["*"]']) refused('aud', text, AUDIENCE, aud);
  refuse('no aud', token(HEADER, claims({ aud: undefined })), AUDIENCE, aud);
  refuse('aud where no name is configured', token(HEADER), AUDIENCE, { verifier: 'no-audience', ...aud });
  refuse('an empty aud where no name is configured', token(HEADER, claims({ aud: [] })), AUDIENCE, { verifier: 'no-audience', ...aud });
  const sub = { why: 'RFC 7519 §4.1.2, RFC 9068 §2.2: a string' };
  for (const text of ['7', '0', '7.5', '7e0', 'null', 'true', '[]', '["user-7"]', '{}', '""', '"a\\u0000b"', '"a\\nb"', `"${'x'.repeat(256)}"`]) refused('sub', text, INVALID, sub);
  refuse('no sub', token(HEADER, claims({ sub: undefined })), MISSING, sub);
  for (const text of ['7.5', 'null', 'true', '[]', '{}', '""', '"a\\u0000b"']) refuse(`userId is ${shown(text)}`, token(HEADER, claimsAnd(`"userId":${text}`)), INVALID, { verifier: 'user-id', why: 'a bad id is not passed over for sub' });
  for (const text of ['7', 'null', 'true', '[]', '["a"]', '{}']) refused('jti', text, INVALID, { why: 'RFC 7519 §4.1.7: a string' });
  const role = { verifier: 'role', why: 'RFC 7519 §4: which claims must be present is for the application to say' };
  refuse('a required claim is absent', token(HEADER), MISSING, role);
  refuse('a required claim is null', token(HEADER, claims({ role: null })), MISSING, role);
  refuse('a required claim in other letters', token(HEADER, claims({ Role: 'x' })), MISSING, role);
  refuse('a required claim within another', token(HEADER, claims({ x: { role: 'x' } })), MISSING, role);
});
