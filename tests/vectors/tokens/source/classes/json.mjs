import { CLAIMS, HEADER, NOW, claimsAnd, token } from '../tokens.mjs';
import { MALFORMED, shown, suite } from '../suite.mjs';

export const duplicates = suite('duplicate-names', 'Objects that say a name twice.', { why: 'RFC 7515 §4, RFC 7519 §4: names must be unique; RFC 8725 §2.6' }, ({ refuse }) => {
  const both = '"alg":"HS256","typ":"at+jwt"';
  for (const [name, text] of Object.entries({
    'alg twice, none first': '{"alg":"none","alg":"HS256","typ":"at+jwt"}',
    'alg twice, none last': '{"alg":"HS256","typ":"at+jwt","alg":"none"}',
    'alg twice, the same': `{${both},"alg":"HS256"}`,
    'alg twice, once with escapes': `{${both},"\\u0061lg":"none"}`,
    'typ twice': `{${both},"typ":"rt+jwt"}`,
    'typ twice, once with escapes': `{${both},"t\\u0079p":"rt+jwt"}`,
    'kid twice': `{${both},"kid":"a","kid":"b"}`,
    'a name of no meaning twice': `{${both},"x":1,"x":1}`,
    'within jwk': `{${both},"jwk":{"kty":"oct","kty":"RSA"}}`,
    '__proto__ twice': `{${both},"__proto__":{},"__proto__":{}}`,
  })) refuse(`header: ${name}`, token(text), MALFORMED);
  for (const [name, value] of Object.entries({ iss: '"https://issuer.test"', sub: '"admin"', aud: '"api"', exp: `${NOW + 9_999_999}`, iat: `${NOW}` })) {
    const escaped = `\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}`;
    refuse(`${name} twice`, token(HEADER, claimsAnd(`"${name}":${value}`)), MALFORMED);
    refuse(`${name} twice, once as ${escaped}`, token(HEADER, claimsAnd(`"${escaped}":${value}`)), MALFORMED);
    refuse(`${name} twice, the escapes first`, token(HEADER, `{"${escaped}":${value},${JSON.stringify(CLAIMS).slice(1)}`), MALFORMED);
  }
  for (const [name, text] of Object.entries({
    'nbf twice': '"nbf":1,"nbf":2',
    'jti twice': '"jti":"a","jti":"a"',
    'a claim of the app twice': '"role":"user","role":"admin"',
    'a claim of the app twice, all in escapes': '"role":"user","\\u0072\\u006f\\u006c\\u0065":"admin"',
    'a claim twice, apart by a surrogate pair as escapes': '"\\ud83d\\ude00":1,"\u{1f600}":2',
    'an escaped slash': '"a/b":1,"a\\/b":2',
    'the empty name twice': '"":1,"":2',
    'in an object': '"o":{"a":1,"a":2}',
    'deep in arrays and objects': '"o":[[{"a":{"b":[{"c":0,"\\u0063":0}]}}]]',
    '__proto__ twice': '"__proto__":1,"__proto__":2',
    'after 40 other names': `${Array.from({ length: 40 }, (_, n) => `"n${n}":${n}`).join(',')},"n7":0`,
  })) refuse(name, token(HEADER, claimsAnd(text)), MALFORMED);
});

const bytes = (...parts) => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
const raw = (value) => bytes(`${JSON.stringify(CLAIMS).slice(0, -1)},"x":`, Buffer.from(value), '}');

export const json = suite('json', 'Texts that are not one JSON object of the common kind.', { why: 'RFC 7519 §7.2 step 10, RFC 8259' }, ({ refuse }) => {
  const whole = {
    'an array': '[]', 'an array of an object': `[${JSON.stringify(CLAIMS)}]`, 'a text': '"x"', 'a number': '1', 'null': 'null', 'true': 'true', 'a space': ' ',
    'two objects': `${JSON.stringify(CLAIMS)}{}`, 'a comma at the end': `${JSON.stringify(CLAIMS).slice(0, -1)},}`, 'rubbish after it': `${JSON.stringify(CLAIMS)}x`,
    'NUL after it': `${JSON.stringify(CLAIMS)}\0`, 'no end': JSON.stringify(CLAIMS).slice(0, -1), 'a byte order mark': `\ufeff${JSON.stringify(CLAIMS)}`,
    'a comment': `/* */${JSON.stringify(CLAIMS)}`, 'a comment to the end of the line': `${JSON.stringify(CLAIMS)}//`, 'single quotes': JSON.stringify(CLAIMS).replaceAll('"', '\''),
    'names without quotes': JSON.stringify(CLAIMS).replace('"sub"', 'sub'), 'a name that is a number': `{1:2,${JSON.stringify(CLAIMS).slice(1)}`, 'a colon is missing': JSON.stringify(CLAIMS).replace('"sub":', '"sub"'),
    'a form feed as white space': `\f${JSON.stringify(CLAIMS)}`, 'a no-break space as white space': `\u00a0${JSON.stringify(CLAIMS)}`, 'form data': 'sub=user-7&exp=1700000900',
    'UTF-16': Buffer.from(JSON.stringify(CLAIMS), 'utf16le'),
  };
  for (const [name, text] of Object.entries(whole)) {
    refuse(`claims: ${name}`, token(HEADER, text), MALFORMED);
    const header = typeof text === 'string' ? text.replaceAll(JSON.stringify(CLAIMS).slice(1, -1), JSON.stringify(HEADER).slice(1, -1)) : Buffer.from(JSON.stringify(HEADER), 'utf16le');
    refuse(`header: ${name}`, token(header), MALFORMED);
  }
  for (const value of ['NaN', 'Infinity', '-Infinity', '1e999', '-1e999', '1e309', '0x10', '010', '-01', '+1', '.5', '1.', '1.e3', '1e', '--1', '1_000', '1,5', '\u0661', 'True', 'nul', 'undefined', "'x'", '"a\nb"', '"a\tb"', '"a\u0000b"', '"\\x41"', '"\\u12"', '"\\u{41}"', '"\\"', '"\\ud800"', '"\\udc00"', '"\\udc00\\ud800"', '"\\ud800x"', '"\\ud800\\u0041"', '"no end', '[1,]', '[1', '{"a"}', '{"a":}', '{,}', '[1 2]']) {
    refuse(`a value ${shown(value)}`, token(HEADER, claimsAnd(`"x":${value}`)), MALFORMED);
  }
  for (const [name, value] of Object.entries({
    'a byte FF': bytes('"', Buffer.from([0xff]), '"'), 'a byte that goes on with nothing': bytes('"', Buffer.from([0x80]), '"'), 'a character cut off': bytes('"', Buffer.from([0xf0, 0x9f, 0x98]), '"'),
    'an overlong NUL': bytes('"', Buffer.from([0xc0, 0x80]), '"'), 'an overlong slash': bytes('"', Buffer.from([0xe0, 0x80, 0xaf]), '"'), 'a surrogate': bytes('"', Buffer.from([0xed, 0xa0, 0x80]), '"'),
    'a surrogate pair as CESU-8': bytes('"', Buffer.from([0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]), '"'), 'beyond U+10FFFF': bytes('"', Buffer.from([0xf4, 0x90, 0x80, 0x80]), '"'), 'Latin-1': bytes('"', Buffer.from([0xe9]), '"'),
  })) {
    refuse(`invalid UTF-8: ${name}`, token(HEADER, raw(value)), MALFORMED, { why: 'RFC 7519 §7.2, RFC 3629 §4' });
    refuse(`invalid UTF-8 in the header: ${name}`, token(bytes('{"alg":"HS256","typ":"at+jwt","x":', value, '}')), MALFORMED, { why: 'RFC 7515 §5.2, RFC 3629 §4' });
  }
  refuse('a name with an unpaired surrogate', token(HEADER, claimsAnd('"\\ud800":1')), MALFORMED);
  refuse('exp with an unpaired surrogate in its name', token(HEADER, claimsAnd('"exp\\udfff":1')), MALFORMED);
  for (const depth of [32, 100, 2500]) {
    refuse(`${depth} arrays in the claims`, token(HEADER, claimsAnd(`"deep":${'['.repeat(depth)}${']'.repeat(depth)}`)), MALFORMED, { why: 'RFC 8259 §9: a limit on depth' });
  }
  refuse('500 objects in the claims', token(HEADER, claimsAnd(`"deep":${'{"a":'.repeat(500)}1${'}'.repeat(500)}`)), MALFORMED, { why: 'RFC 8259 §9' });
  refuse('500 arrays in the header', token(`{"alg":"HS256","typ":"at+jwt","x":${'['.repeat(500)}${']'.repeat(500)}}`), MALFORMED, { why: 'RFC 8259 §9' });
  refuse('5000 arrays that never end', token(HEADER, claimsAnd(`"deep":${'['.repeat(5000)}`)), MALFORMED, { why: 'RFC 8259 §9' });
});
