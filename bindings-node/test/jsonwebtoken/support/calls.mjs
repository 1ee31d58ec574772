// Generates calls of sign, verify and decode, from ordinary to hostile.
import { createHmac } from 'node:crypto';
import { SECRET, algorithmsOf, invalidKeys, unusualSecrets, privateForms, publicForms, secrets } from './keys.mjs';
import { callback, getKey } from './observe.mjs';
import { SECONDS, anything, claim, claims, some, span } from './values.mjs';

const HMACS = ['HS256', 'HS384', 'HS512'];
const ALGORITHMS = [...HMACS, 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'none'];
const WRONG_ALGORITHMS = ['HS1', 'hs256', 'None', '', 'EdDSA', 'RS', 'ES256K', 'HS2567'];

const anyAlgorithm = (random) => random.pick(random.oneIn(5) ? WRONG_ALGORITHMS : ALGORITHMS);
const flag = (random) => random.oneIn(2);

/** A key and an algorithm, which usually fit. */
function keyAndAlgorithm(random, forms) {
  const kind = random.below(20);
  if (kind < 10) return [random.pick(secrets), random.pick(HMACS)];
  if (kind < 12) return [random.pick(unusualSecrets), random.pick(HMACS)];
  if (kind < 13) return [random.pick(invalidKeys), random.pick([...HMACS, 'none', 'none', 'RS256'])];
  if (kind < 14) return [random.pick(secrets), anyAlgorithm(random)];
  const [name, key] = random.pick(forms);
  return [key, kind < 18 ? random.pick(algorithmsOf[name]) : anyAlgorithm(random)];
}

const randomKeys = new Set(privateForms.filter(([name]) => /^(other)?p\d|^secp|^pss/i.test(name)).map(([, key]) => key));

const SIGN_OPTIONS = {
  expiresIn: span,
  notBefore: span,
  audience: (random) => claim(random, 'aud'),
  issuer: (random) => claim(random, 'iss'),
  subject: (random) => claim(random, 'sub'),
  jwtid: (random) => claim(random, 'jti'),
  keyid: (random) => random.pick(['key-1', '', 'ж']),
  noTimestamp: flag,
  mutatePayload: flag,
  encoding: (random) => random.pick(['utf8', 'utf-8', 'latin1', 'base64', 'hex', 'binary', 'utf16le', 'nonsense', '']),
  allowInsecureKeySizes: flag,
  allowInvalidAsymmetricKeyTypes: flag,
  header: (random) =>
    some(
      random,
      {
        kid: () => random.pick(['key-2', undefined, null, 7]),
        typ: () => random.pick(['at+jwt', 'jwt', undefined, null, '']),
        alg: () => (random.oneIn(3) ? random.pick([undefined, null, '', 5, ['HS256'], new String('HS256')]) : anyAlgorithm(random)),
        crit: () => ['b64'],
        b64: flag,
        cty: () => 'JWT',
        x: () => 'ж🔑',
      },
      6,
    ),
};

function payloadToSign(random) {
  const kind = random.below(10);
  if (kind < 7) return claims(random);
  if (kind < 8) return random.pick(['text', '', '{"userId":"user-1"}', Buffer.from('bytes'), Buffer.from('{"a":1}')]);
  if (kind < 9) return Object.freeze(claims(random));
  return anything(random);
}

export function signCall(random) {
  const [key, algorithm] = keyAndAlgorithm(random, privateForms);
  const options = random.oneIn(15) ? anything(random) : some(random, SIGN_OPTIONS, 7);
  const settable = typeof options === 'object' && options !== null && Object.isExtensible(options);
  if (settable && (algorithm !== 'HS256' || random.oneIn(2))) options.algorithm = algorithm;
  // RS256 signatures of these keys are random. For an EC key even the length is, and the check for short signatures uses it.
  const written = settable ? (options.header?.alg ?? options.algorithm) : undefined;
  if (randomKeys.has(key) && typeof written === 'string' && /^(RS|PS)/.test(written)) delete options.allowInvalidAsymmetricKeyTypes;
  const args = [payloadToSign(random), key, options];
  if (random.oneIn(12)) args.length = random.below(3);
  if (random.oneIn(3)) args.push(random.oneIn(15) ? anythingButFunction(random) : callback());
  return { method: 'sign', args };
}

/** Never a function: only callbacks that record their calls are allowed. */
function anythingButFunction(random) {
  const value = anything(random);
  return typeof value === 'function' ? undefined : value;
}

const VERIFY_OPTIONS = {
  algorithms: (random) => random.pick([['HS256'], HMACS, ['RS256', 'ES256'], ALGORITHMS, ['none'], [], 'HS256', [undefined]]),
  audience: (random) => random.pick(['urn:one', /urn:t/, /^urn:one$/g, ['urn:two', /three/], [], 'no']),
  issuer: (random) => random.pick(['one', ['one', 'two'], /one/, [], 'no']),
  subject: (random) => claim(random, 'sub'),
  jwtid: (random) => claim(random, 'jti'),
  nonce: (random) => claim(random, 'nonce'),
  maxAge: span,
  clockTolerance: (random) => random.pick([0, 1, 10, -10, 3600, 0.5]),
  clockTimestamp: (random) => SECONDS + random.pick([0, 3600, -3600, 1, -1]),
  complete: flag,
  ignoreExpiration: flag,
  ignoreNotBefore: flag,
  allowInvalidAsymmetricKeyTypes: flag,
};

function getKeyFor(random, key) {
  const kind = random.below(12);
  const how = { late: random.oneIn(2), returns: random.pick([undefined, 'the answer', 5]) };
  if (kind === 0) return getKey({ ...how, answers: [new Error('no key')] });
  if (kind === 1) return getKey({ ...how, answers: [random.pick(['text', { message: 'm' }, true, {}])] });
  if (kind === 2) return getKey({ ...how, answers: [] });
  if (kind === 3) return getKey({ ...how, answers: [null, key], throws: new RangeError('thrown') });
  if (kind === 4) return getKey({ ...how, answers: [null, key], before: (header) => (header.alg = 'HS512') });
  return getKey({ ...how, answers: [null, key] });
}

/** @param tokens - `[token, the key that verifies it]` */
export function verifyCall(random, tokens) {
  let [token, key] = random.pick(tokens);
  if (random.oneIn(3)) [token, key] = [crafted(random), random.pick(secrets)];
  if (random.oneIn(4)) token = mutated(random, token);
  if (random.oneIn(40)) token = anything(random);
  if (random.oneIn(8)) [key] = keyAndAlgorithm(random, publicForms);
  const asynchronous = random.oneIn(3);
  if (random.oneIn(asynchronous ? 3 : 50)) key = getKeyFor(random, key);
  const args = [token, key, random.oneIn(20) ? anything(random) : some(random, VERIFY_OPTIONS, 9)];
  if (random.oneIn(12)) args.length = random.below(3);
  if (asynchronous) {
    const throws = random.oneIn(10) ? new RangeError('thrown') : undefined;
    args.push(random.oneIn(20) ? anything(random) : callback({ throws, returns: random.pick([undefined, 7]) }));
  }
  return { method: 'verify', args };
}

/** @param tokens - `[token, the key that verifies it]` */
export function decodeCall(random, tokens) {
  let [token] = random.pick(tokens);
  if (random.oneIn(2)) token = crafted(random);
  if (random.oneIn(2)) token = mutated(random, token);
  if (random.oneIn(20)) token = random.pick([Buffer.from(token), new String(token), [token]]);
  if (random.oneIn(10)) token = anything(random);
  const reviver = () => (name, value) => (name === 'userId' ? 'revived' : value);
  const options = some(random, { complete: flag, json: flag, encoding: reviver }, 3);
  const args = [token, random.oneIn(8) ? anything(random) : options];
  if (random.oneIn(6)) args.length = 1;
  return { method: 'decode', args };
}

const segment = (text, encoding) => Buffer.from(text, encoding).toString('base64url');

/** A token with an unusual header and claims, and usually a valid signature of the shared secret. */
function crafted(random) {
  const header = random.oneIn(3)
    ? random.pick([
        'null', '5', '"text"', '[]', '{}', 'true', '{"alg":5}', '{"alg":null,"typ":"JWT"}', '{"alg":["HS256"]}', 'no JSON', '',
        '{"alg":"none"}', '{"alg":"none","typ":"JWT"}', '{"typ":"JWT"}', '{"alg":"HS256","alg":"none"}', '{"alg":"RS256"}',
        '{"alg":"HS256","crit":["b64"],"b64":false}', '{"alg":"HS256","typ":"jwt"}', '{"alg":"HS256","typ":5}', '{"alg":"ж"}',
      ])
    : random.pick(['{"alg":"HS256","typ":"JWT"}', '{"alg":"HS256"}', '{"typ":"JWT","alg":"HS512","kid":"ж"}']);
  const payload = random.oneIn(4)
    ? random.pick([
        'null', '5', '"text"', '"{\\"in\\":1}"', '[]', '[1]', 'true', 'no JSON', '{', ' {"a":1} ', '\ufeff{}', '\xff\xfe', '1e999',
        '{"exp":1e999}', '{"__proto__":{"exp":1}}', '{"a":1,"a":2}', '{"exp":"5"}', '{"nbf":null}', '{"iat":"5"}', '{"aud":null}',
      ])
    : jsonOrEmpty(claims(random));
  const input = `${segment(header, random.pick(['utf8', 'latin1']))}.${segment(payload, random.pick(['utf8', 'latin1']))}`;
  const hash = header.includes('HS512') ? 'sha512' : 'sha256';
  const signature = random.oneIn(8) ? '' : createHmac(hash, SECRET).update(input).digest('base64url');
  return `${input}.${signature}`;
}

function jsonOrEmpty(value) {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}

const STRANGE = ['', '.', '=', ' ', '\n', '-', '_', '+', '/', 'A', 'é', '🔑', '\0'];

/** The token after one or two random mutations. */
function mutated(random, token) {
  let text = token;
  for (let times = 1 + random.below(2); times > 0; times--) {
    const at = random.below(text.length + 1);
    const parts = text.split('.');
    const which = random.below(parts.length);
    switch (random.below(8)) {
      case 0:
        text = text.slice(0, at) + random.pick(STRANGE) + text.slice(at + 1);
        break;
      case 1:
        text = text.slice(0, at) + random.pick(STRANGE) + text.slice(at);
        break;
      case 2:
        text = text.slice(0, at);
        break;
      case 3:
        text += random.pick([...STRANGE, '.x', '==']);
        break;
      case 4:
        parts[which] = random.pick(['', ...parts]);
        text = parts.join('.');
        break;
      case 5: // Another encoding of the same bytes: base64url ignores some bits of the last character.
        parts[which] = parts[which].slice(0, -1) + String.fromCharCode((parts[which].charCodeAt(parts[which].length - 1) || 64) + 1);
        text = parts.join('.');
        break;
      case 6:
        parts[which] = parts[which].slice(0, -1 - random.below(3));
        text = parts.join('.');
        break;
      default: // A longer signature.
        parts[parts.length - 1] += random.pick(['A', 'AA', 'B']);
        text = parts.join('.');
    }
  }
  return text;
}
