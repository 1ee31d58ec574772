import { CLAIMS, HEADER, b64, good, seal, segments, signedToken, token } from '../tokens.mjs';
import { pem, pairOf, privateKey, publicKey, publicPem } from '../keys.mjs';
import { ALG, MALFORMED, SIGNATURE, shown, suite } from '../suite.mjs';

export const none = suite('alg-none', 'Unsecured tokens, by every name.', { why: 'RFC 8725 §3.2, RFC 7515 §4.1.1: names are case-sensitive, "none" is never allowed' }, ({ refuse }) => {
  const spellings = ['none', 'None', 'NONE', 'nOnE', 'noNe', 'nonE', 'NonE', ' none', 'none ', 'none\t', 'none\u0000', 'no ne', 'non', 'nones', '\uff4eone', 'n\u043ene', '', 'null', 'NULL', 'undefined', 'false', '0'];
  for (const alg of spellings) {
    const unsigned = `${b64(JSON.stringify({ alg, typ: 'at+jwt' }))}.${b64(JSON.stringify(CLAIMS))}`;
    refuse(`${shown(alg)}, without a signature`, `${unsigned}.`, MALFORMED);
    refuse(`${shown(alg)}, with a good HMAC`, token({ alg, typ: 'at+jwt' }), ALG);
  }
  refuse('none, two segments', segments(token({ alg: 'none', typ: 'at+jwt' })).slice(0, 2).join('.'), MALFORMED);
  refuse('none as escapes', token('{"alg":"n\\u006fne","typ":"at+jwt"}'), ALG);
  refuse('none, the signature of another token', `${segments(token({ alg: 'none', typ: 'at+jwt' })).slice(0, 2).join('.')}.${segments(good())[2]}`, ALG);
  refuse('none, for a public key', token({ alg: 'none', typ: 'at+jwt' }), ALG, { verifier: 'RS256' });
  refuse('none, for a ring of many keys', token({ alg: 'none', typ: 'at+jwt' }), ALG, { verifier: 'mixed' });
  refuse('none, with the kid of a key', token({ alg: 'none', kid: 'mac', typ: 'at+jwt' }), ALG, { verifier: 'named' });
  refuse('none, where legacy tokens are accepted', token({ alg: 'none' }), ALG, { verifier: 'legacy' });
  for (const alg of ['null', '0', '256', 'true', 'false', '[]', '["HS256"]', '["none","HS256"]', '{}', '{"name":"HS256"}']) {
    refuse(`alg is ${alg}`, token(`{"alg":${alg},"typ":"at+jwt"}`), MALFORMED, { why: 'RFC 7515 §4.1.1: a string' });
  }
  refuse('no alg', token({ typ: 'at+jwt' }), MALFORMED, { why: 'RFC 7515 §4.1.1: it must be present' });
  refuse('an empty header', token({}), MALFORMED, { why: 'RFC 7515 §4.1.1: it must be present' });
});

/** What an attacker may take for a secret of the public key `name`. */
function forms(name) {
  const text = publicPem(name);
  const key = publicKey(name);
  const der = key.export({ type: 'spki', format: 'der' });
  const jwk = key.export({ format: 'jwk' });
  const bytes = (member) => Buffer.from(jwk[member], 'base64url');
  const body = text.split('\n').slice(1, -2).join('');
  return {
    'the PEM file': text,
    'the PEM file without its last line break': text.trimEnd(),
    'the PEM file with CR LF': text.replaceAll('\n', '\r\n'),
    'the PEM file on one line': text.replaceAll('\n', ''),
    'the base64 of the PEM file': body,
    'SPKI in DER': der,
    'SPKI in hex': der.toString('hex'),
    'the JWK': JSON.stringify(jwk),
    ...(jwk.kty === 'RSA' && {
      'PKCS#1 in PEM': key.export({ type: 'pkcs1', format: 'pem' }),
      'PKCS#1 in DER': key.export({ type: 'pkcs1', format: 'der' }),
      'the modulus': bytes('n'),
      'the modulus as base64url': jwk.n,
    }),
    ...(jwk.kty === 'EC' && {
      'the uncompressed point': Buffer.concat([Buffer.from([4]), bytes('x'), bytes('y')]),
      'the compressed point': Buffer.concat([Buffer.from([2 + (bytes('y').at(-1) & 1)]), bytes('x')]),
      'the coordinate x': bytes('x'),
    }),
    ...(jwk.kty === 'OKP' && { 'the 32 bytes': bytes('x'), 'the 32 bytes as base64url': jwk.x }),
    ...(name === 'p256-a' && { 'a certificate of it': pem('p256-a.certificate') }),
  };
}

export const confusion = suite('alg-confusion', 'A key used by another algorithm than its own.', { why: 'RFC 8725 §2.1, §3.1: a key is for one algorithm' }, ({ refuse }) => {
  for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA']) {
    for (const [form, secret] of Object.entries(forms(pairOf[alg]))) {
      refuse(`${alg}: HS256 with ${form}`, token(HEADER, CLAIMS, 'HS256', secret), ALG, { verifier: alg });
    }
  }
  for (const [form, secret] of Object.entries(forms('rsa2048-a')).slice(0, 8)) {
    refuse(`a ring with a secret too: HS256 with ${form}`, token(HEADER, CLAIMS, 'HS256', secret), SIGNATURE, { verifier: 'mixed' });
    refuse(`by the kid of the RSA key: HS256 with ${form}`, token({ ...HEADER, kid: 'rsa' }, CLAIMS, 'HS256', secret), ALG, { verifier: 'named' });
  }
  for (const alg of ['HS384', 'HS512']) {
    refuse(`${alg} with the PEM file`, token({ alg, typ: 'at+jwt' }, CLAIMS, alg, publicPem('rsa2048-a')), ALG, { verifier: 'RS256' });
    refuse(`${alg} with the secret of HS256`, token({ alg, typ: 'at+jwt' }, CLAIMS, alg), ALG);
  }
  refuse('HS256 with an empty secret', token(HEADER, CLAIMS, 'HS256', ''), SIGNATURE);
  refuse('HS256 with a NUL for a secret', token(HEADER, CLAIMS, 'HS256', '\0'), SIGNATURE);
  refuse('HS256 by HMAC-SHA-512', seal(b64(JSON.stringify(HEADER)), b64(JSON.stringify(CLAIMS)), 'HS512'), SIGNATURE);
  refuse('HS256 by HMAC-SHA-512, cut to 32 bytes', (() => {
    const [header, payload, mac] = segments(seal(b64(JSON.stringify(HEADER)), b64(JSON.stringify(CLAIMS)), 'HS512'));
    return `${header}.${payload}.${b64(Buffer.from(mac, 'base64url').subarray(0, 32))}`;
  })(), SIGNATURE);
  for (const [alg, other] of [['RS256', 'PS256'], ['PS256', 'RS256'], ['RS256', 'RS384'], ['RS256', 'RS512'], ['ES256', 'ES384'], ['ES384', 'ES256'], ['EdDSA', 'ES256'], ['ES256', 'EdDSA']]) {
    refuse(`a good token of ${other} for a key of ${alg}`, signedToken(other), ALG, { verifier: alg });
  }
  for (const [alg, other] of [['RS256', 'PS256'], ['RS256', 'RS384'], ['PS256', 'RS256']]) {
    refuse(`${other} under the name ${alg}`, relabelled(alg, other), SIGNATURE, { verifier: alg });
  }
  for (const alg of ['ES512', 'ES256K', 'Ed448', 'RS1', 'HS1', 'HS224', 'RSA1_5', 'dir', 'A128KW', 'ES256-R', 'RS256 ', 'rs256', 'Rs256', 'RS-256', 'RS256\u0000', 'SHA256withRSA', 'EDDSA', 'ed25519', 'ED25519', 'Ed25519ph']) {
    const verifier = alg.toLowerCase().startsWith('ed') ? 'EdDSA' : alg.startsWith('ES') ? 'ES256' : alg.startsWith('H') || alg === 'dir' ? 'HS256' : 'RS256';
    refuse(`unknown name ${shown(alg)}`, token({ alg, typ: 'at+jwt' }), ALG, { verifier, why: 'RFC 7515 §4.1.1' });
  }
  refuse('HS256 in lower case', token({ alg: 'hs256', typ: 'at+jwt' }), ALG, { why: 'RFC 7515 §4.1.1: names are case-sensitive' });
  refuse('the kid of one secret, the signature of the other', token({ ...HEADER, kid: 'mac-2' }), SIGNATURE, { verifier: 'named' });
  refuse('the kid of the secret, the algorithm of the RSA key', token({ alg: 'RS256', kid: 'mac', typ: 'at+jwt' }, CLAIMS, 'RS256'), ALG, { verifier: 'named' });
  refuse('another RSA key', token({ alg: 'RS256', typ: 'at+jwt' }, CLAIMS, 'RS256', privateKey('rsa2048-b')), SIGNATURE, { verifier: 'RS256' });
  refuse('another Ed25519 key', token({ alg: 'EdDSA', typ: 'at+jwt' }, CLAIMS, 'EdDSA', privateKey('ed25519-b')), SIGNATURE, { verifier: 'EdDSA' });
  refuse('RSA with 1024 bits', token({ alg: 'RS256', typ: 'at+jwt' }, CLAIMS, 'RS256', privateKey('rsa1024')), SIGNATURE, { verifier: 'RS256', why: 'RFC 7518 §3.3' });
});

/** A token that says `alg` and is signed by `other` with the key of `alg`. */
function relabelled(alg, other) {
  // PSS is of chance, so its bytes are those of the committed token, over another header.
  if (other.startsWith('PS')) return `${b64(JSON.stringify({ alg, typ: 'at+jwt' }))}.${segments(signedToken(other)).slice(1).join('.')}`;
  return token({ alg, typ: 'at+jwt' }, CLAIMS, other);
}
