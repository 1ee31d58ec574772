import { CLAIMS, HEADER, b64, claims, good, seal, segments, token } from '../tokens.mjs';
import { LARGE, MALFORMED, SIGNATURE, suite } from '../suite.mjs';

/** A text with the same bytes whose last character has bits that belong to no byte. */
function trailing(text) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)) + 1];
}

export const base64url = suite('base64url', 'More than one way to write the same bytes.', { why: 'RFC 7515 §2, RFC 4648 §3.5 and §5: one alphabet, no padding, no other characters, no stray bits' }, ({ refuse }) => {
  // Lengths that leave bits over, so that there is something to get wrong.
  const header = b64('{"typ":"at+jwt","alg":"HS256"} ');
  const payload = b64(`${JSON.stringify(CLAIMS)}${' '.repeat((4 - (JSON.stringify(CLAIMS).length % 3)) % 3 || 1)}`);
  const text = seal(header, payload);
  const mac = segments(text)[2];
  const spoilt = {
    'stray bits': trailing,
    'padding': (part) => part + '='.repeat((4 - (part.length % 4)) % 4),
    'one = too many': (part) => `${part}=`,
    'a line break after it': (part) => `${part}\n`,
    'a space before it': (part) => ` ${part}`,
    'a line break within': (part) => `${part.slice(0, 8)}\r\n${part.slice(8)}`,
    'a tab within': (part) => `${part.slice(0, 8)}\t${part.slice(8)}`,
    'a NUL after it': (part) => `${part}\0`,
    'a character more': (part) => `${part}A`.padEnd(part.length + ((5 - (part.length % 4)) % 4 || 4), 'A'),
    'a star within': (part) => `${part.slice(0, 8)}*${part.slice(9)}`,
    'a plus of the other alphabet': (part) => `${part.slice(0, 8)}+${part.slice(9)}`,
    'a slash of the other alphabet': (part) => `${part.slice(0, 8)}/${part.slice(9)}`,
    'a percent escape': (part) => `${part.slice(0, 8)}%41${part.slice(9)}`,
    'a letter of full width': (part) => `${part.slice(0, 8)}\uff21${part.slice(9)}`,
    'a byte order mark': (part) => `\ufeff${part}`,
    'a soft hyphen within': (part) => `${part.slice(0, 8)}\u00ad${part.slice(8)}`,
    'a dot more': (part) => `${part.slice(0, 8)}.${part.slice(8)}`,
  };
  for (const [name, spoil] of Object.entries(spoilt)) {
    // Signed as it stands: only the strictness of the reader refuses these.
    refuse(`header: ${name}`, seal(spoil(header), payload), MALFORMED);
    refuse(`claims: ${name}`, seal(header, spoil(payload)), MALFORMED);
    refuse(`signature: ${name}`, `${header}.${payload}.${spoil(mac)}`, MALFORMED);
  }
  refuse('claims: stray bits that were put in afterwards', `${header}.${trailing(payload)}.${mac}`, SIGNATURE);
  const other = token({ alg: 'EdDSA', typ: 'at+jwt' }, CLAIMS, 'EdDSA');
  refuse('Ed25519 signature: stray bits', trailing(other), MALFORMED, { verifier: 'EdDSA' });
  refuse('Ed25519 signature: padding', `${other}==`, MALFORMED, { verifier: 'EdDSA' });
});

export const shape = suite('form', 'What is not three segments with two dots.', { why: 'RFC 7515 §7.1' }, ({ refuse }) => {
  const [header, payload, mac] = segments(good());
  const texts = {
    'a space': ' ', 'a dot': '.', 'two dots': '..', 'three dots': '...', 'a word': 'token',
    'Bearer before it': `Bearer ${good()}`, 'quotes around it': `"${good()}"`,
    'a space before it': ` ${good()}`, 'a space after it': `${good()} `, 'a line break after it': `${good()}\n`,
    'a dot before it': `.${good()}`, 'a dot after it': `${good()}.`, 'a comma and another token': `${good()},${good()}`,
    'no header': `.${payload}.${mac}`, 'no claims': `${header}..${mac}`, 'two segments': `${header}.${payload}`,
    'one segment': header, 'four segments': `${good()}.${mac}`, 'five segments, as of a JWE': `${header}.${payload}.${mac}.${mac}.${mac}`,
    'JSON serialization': JSON.stringify({ protected: header, payload, signature: mac }),
    'percent escapes for the dots': good().replaceAll('.', '%2E'), 'full stops of full width': good().replaceAll('.', '\uff0e'),
    'NUL': '\0', 'NULs around it': `\0${good()}\0`, 'JSON text instead of base64url': `${JSON.stringify(HEADER)}.${JSON.stringify(CLAIMS)}.${mac}`,
    'a token within a token': `${b64(JSON.stringify({ ...HEADER, cty: 'JWT' }))}.${b64(good())}.${mac}`.replace(mac, segments(seal(b64(JSON.stringify({ ...HEADER, cty: 'JWT' })), b64(good())))[2]),
  };
  for (const [name, text] of Object.entries(texts)) refuse(name, text, MALFORMED);
});

export const size = suite('size', 'The size is looked at before anything else.', { why: 'a limit of this library: 8192 bytes unless configured' }, ({ refuse, accept }) => {
  /** A token of so many bytes. */
  const ofSize = (bytes) => {
    for (let length = Math.floor((bytes * 3) / 4) - 250; ; length += 1) {
      const text = token(HEADER, claims({ pad: 'x'.repeat(length) }));
      if (text.length >= bytes) return text;
    }
  };
  accept('8192 bytes', ofSize(8192));
  refuse('8194 bytes', ofSize(8193), LARGE);
  refuse('12000 bytes', ofSize(12_000), LARGE);
  refuse('9000 bytes that are no token', 'a'.repeat(9000), LARGE);
  refuse('9000 dots', '.'.repeat(9000), LARGE);
  refuse('3000 characters of three bytes', '\uac00'.repeat(3000), LARGE);
  refuse('8192 dots', '.'.repeat(8192), MALFORMED);
  refuse('8192 characters that are no token', 'a'.repeat(8192), MALFORMED);
  refuse('a header that is as long as may be', `${'a'.repeat(8188)}.a.a`, MALFORMED);
  refuse('a limit that is configured', token(HEADER, claims({ role: 'x'.repeat(40) })), LARGE, { verifier: 'small' });
  accept('within a limit that is configured', token(HEADER, { iss: 'https://issuer.test', sub: 'u', aud: 'api', exp: CLAIMS.exp }), { verifier: 'small', subject: 'u' });
});
