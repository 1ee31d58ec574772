// Generates values for payloads and options, from ordinary to hostile.

/** 2026-01-01T00:00:00.250Z. Not a whole second, so that rounding matters. */
export const NOW = Date.UTC(2026, 0, 1) + 250;
export const SECONDS = Math.floor(NOW / 1000);

class Instance {
  constructor() {
    this.userId = 'user-1';
  }
}

/** A new value of any type. Values are never shared between calls. */
export function anything(random, depth = 0) {
  const make = random.pick(ODD);
  return make(random, depth);
}

const ODD = [
  () => undefined,
  () => null,
  () => true,
  () => false,
  () => 0,
  () => -0,
  () => 1,
  () => -1,
  () => 1.5,
  () => NaN,
  () => Infinity,
  () => -Infinity,
  () => 1e21,
  () => SECONDS,
  () => SECONDS + 10,
  () => String(SECONDS),
  () => '',
  () => ' ',
  () => 'text',
  () => '1d',
  () => 'ж🔑\u2028',
  () => '\ud800',
  () => '{"in":"text"}',
  () => 'null',
  () => 5n,
  () => 0n,
  () => Symbol.for('s'),
  () => () => 'result',
  () => (a, b) => a + b,
  () => [],
  () => ['text'],
  (random, depth) => (depth > 2 ? {} : [anything(random, depth + 1), anything(random, depth + 1)]),
  () => ({}),
  () => ({ a: { b: [1, { c: 'd' }] } }),
  (random, depth) => (depth > 2 ? {} : { [random.pick(['a', 'alg', 'iat', 'exp'])]: anything(random, depth + 1) }),
  () => Object.create(null),
  () => Object.create({ inherited: 1 }),
  () => new Instance(),
  () => new Date(NOW),
  () => new Date(NaN),
  () => /te.t/,
  () => /t/g,
  () => Buffer.from('bytes'),
  () => Buffer.from([0xff, 0xc3, 0x28]),
  () => new Uint8Array([1, 2, 3]),
  () => new String('1d'),
  () => new String(''),
  () => new Number(5),
  () => new Boolean(false),
  () => new Map([['a', 1]]),
  () => new Error('as a value'),
  () => ({ toJSON: () => ({ replaced: true }) }),
  () => ({ toJSON: () => undefined }),
  () => JSON.parse('{"__proto__":{"polluted":1},"constructor":"x"}'),
];

/** A value for this claim, usually of the right type and near the current time. */
export function claim(random, name) {
  if (random.oneIn(8)) return anything(random);
  switch (name) {
    case 'iat':
      return SECONDS + random.pick([0, -10, -3600, 10, 0.5]);
    case 'exp':
      return SECONDS + random.pick([0, 1, -1, 3600, -3600, 86400, 0.9]);
    case 'nbf':
      return SECONDS + random.pick([0, 1, -1, 60, -60, 0.5]);
    case 'aud':
      return random.pick(['urn:one', 'urn:two', ['urn:one', 'urn:two'], ['urn:three'], []]);
    default:
      return random.pick(['one', 'two', 'urn:one', '']);
  }
}

const CLAIMS = ['iat', 'exp', 'nbf', 'aud', 'iss', 'sub', 'jti', 'nonce'];
const OWN = ['userId', 'role', 'a', 'toString', 'constructor', 'hasOwnProperty', 'pipe', 'length', 'then', '0'];

/** An object of claims, usually valid. */
export function claims(random) {
  const payload = random.oneIn(20) ? Object.create(null) : {};
  for (const name of CLAIMS) if (random.oneIn(4)) payload[name] = claim(random, name);
  if (random.oneIn(2)) payload.userId = 'user-1';
  if (random.oneIn(8)) payload[random.pick(OWN)] = anything(random);
  return payload;
}

/** A timespan, in the formats that `ms` accepts and in others. */
export function span(random) {
  if (random.oneIn(6)) return anything(random);
  const number = random.pick(['1', '10', '0', '-1', '1.5', '.5', '0.001', '100000', '1e3', ' 1', '']);
  const unit = random.pick([
    '', 'ms', 's', 'm', 'h', 'd', 'w', 'y', ' s', ' days', ' Hours', 'YRS', 'mins', 'msecs', 'month', ' d ', '  h', 'D', '\n',
  ]);
  return random.oneIn(2) ? random.pick([0, 1, 60, 3600, -1, 1.5, 1e9]) : number + unit;
}

/** An object with a random subset of the properties of `makers`, and sometimes an unknown property. */
export function some(random, makers, likelihood) {
  const object = random.oneIn(40) ? Object.create(null) : {};
  for (const [name, make] of Object.entries(makers)) {
    if (random.oneIn(likelihood)) object[name] = random.oneIn(12) ? anything(random) : make(random);
  }
  if (random.oneIn(60)) object[random.pick(['unknown', 'toString', 'issuers', 'expiresin'])] = anything(random);
  return object;
}
