// Makes the same random calls to npm `jsonwebtoken` and to the drop-in and compares the results. `REGRANT_SEED` repeats a run.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { inspect } from 'node:util';
import real from 'jsonwebtoken';
import ours from 'regrant/jsonwebtoken';
import { decodeCall, signCall, verifyCall } from './support/calls.mjs';
import { algorithmsOf, pairs, publicForms, secrets } from './support/keys.mjs';
import { observe } from './support/observe.mjs';
import { Random, seedOfRun } from '../support/random.mjs';
import { NOW, SECONDS } from './support/values.mjs';

const seed = seedOfRun();
console.log(`REGRANT_SEED=${seed}`);

// Only `Date` is mocked: `observe` needs the real `setImmediate` and `process.nextTick`.
mock.timers.enable({ apis: ['Date'], now: NOW });

/** The intentional differences, each with a predicate that recognizes it. */
const INTENDED = {
  'a callback that npm jsonwebtoken never calls is called':
    // Its streams wait forever for a falsy payload and for a missing key (`alg: none`).
    (call, theirs, mine) =>
      call.method === 'sign' && theirs.callbacks.length === 0 && !('thrown' in theirs) && mine.callbacks.length === 1 &&
      (!call.args[0] || call.args[1] == null || typeof call.args[0].pipe === 'function'),
  'a callback that npm jsonwebtoken calls several times is called once':
    // It continues after it has reported that an option duplicates a claim of the payload.
    (call, theirs, mine) =>
      call.method === 'sign' && theirs.callbacks.length > 1 && mine.callbacks.length === 1 &&
      /^Bad "options\./.test(theirs.callbacks[0].args[0].message) && same(theirs.callbacks[0], mine.callbacks[0]),
};

/** `REGRANT_TIMES` multiplies the number of calls. */
const TIMES = Number(process.env.REGRANT_TIMES ?? 1);
const ROUNDS = { sign: 3_000 * TIMES, verify: 5_000 * TIMES, decode: 1_500 * TIMES };

test('random calls have the same results in npm jsonwebtoken and in the drop-in', { timeout: 600_000 * TIMES }, async (t) => {
  const tokens = validTokens();
  const makers = { sign: signCall, verify: verifyCall, decode: decodeCall };
  const found = { equal: 0, succeeded: 0 };
  const differences = [];
  const compare = (round, call, theirs, mine) => {
    if (same(withoutRandomness(theirs, call), withoutRandomness(mine, call))) {
      found.equal += 1;
      if (succeeded(theirs)) found.succeeded += 1;
      return;
    }
    const reason = Object.keys(INTENDED).find((name) => INTENDED[name](call, theirs, mine));
    if (reason === undefined) differences.push({ round, call, theirs, mine });
    else found[reason] = (found[reason] ?? 0) + 1;
  };
  for (const [method, rounds] of Object.entries(ROUNDS)) {
    for (let round = 0; round < rounds; round++) {
      // Generate the arguments once per package: both packages may change them.
      const make = () => {
        const random = new Random(seed * 31 + round * 7 + method.length);
        return { ...makers[method](random, tokens), times: random.oneIn(8) ? 2 : 1 };
      };
      const call = make();
      const theirs = await observe(real, make());
      const mine = await observe(ours, make());
      for (let time = 0; time < call.times; time += 1) compare(round, call, theirs[time], mine[time]);
    }
  }
  t.diagnostic(inspect(found));
  const shown = differences.slice(0, 4).map((difference) => inspect(difference, { depth: 9, maxStringLength: 400 }));
  assert.equal(differences.length, 0, `${differences.length} differences; the first ones:\n${shown.join('\n')}`);
  // Guard against a generator whose calls nearly all fail.
  assert.ok(found.succeeded > 1_800, `${found.succeeded} calls succeeded`);
});

test('a payload that is changed has the same claims when an option duplicates one of them', async () => {
  for (const claim of ['aud', 'iss', 'sub', 'jti']) {
    for (const callback of [undefined, () => {}]) {
      const [theirs, mine] = [real, ours].map(({ sign }) => {
        const payload = { [claim]: 'own' };
        const options = { audience: 'urn:two', issuer: 'two', subject: 'two', jwtid: 'two', mutatePayload: true, noTimestamp: true };
        attempt(() => sign(payload, secrets[0], options, callback));
        return payload;
      });
      assert.deepEqual(mine, theirs);
      assert.equal(Object.keys(theirs).length > 1, callback !== undefined || claim !== 'aud');
    }
  }
});

/** Tokens signed by npm `jsonwebtoken`, each with a key that verifies it. */
function validTokens() {
  const tokens = [];
  const payloads = [
    { userId: 'user-1', exp: SECONDS + 3600, aud: 'urn:one', iss: 'one', sub: 'one', jti: 'one', nonce: 'one' },
    { userId: 'user-1', nbf: SECONDS - 1, aud: ['urn:one', 'urn:two'] },
    { userId: 'ж🔑', exp: SECONDS - 1 },
    'text',
  ];
  for (const payload of payloads) {
    for (const algorithm of ['HS256', 'HS384', 'HS512']) {
      const token = real.sign(payload, secrets[0], { algorithm });
      for (const secret of secrets) tokens.push([token, secret]);
    }
    for (const [name, key] of publicForms) {
      for (const algorithm of algorithmsOf[name].filter((wanted) => wanted !== 'EdDSA')) {
        const options = { algorithm, allowInvalidAsymmetricKeyTypes: true, allowInsecureKeySizes: true };
        const token = attempt(() => real.sign(payload, pairs[name].privateKey, options));
        if (token !== undefined) tokens.push([token, key]);
      }
    }
    tokens.push([real.sign(payload, null, { algorithm: 'none' }), undefined]);
  }
  return tokens;
}

function attempt(run) {
  try {
    return run();
  } catch {
    return undefined;
  }
}

/** ECDSA and PSS signatures are randomized: replaces them by their length. */
function withoutRandomness(record, { args }) {
  const blur = (token) => {
    if (typeof token !== 'string' || !/^(eyJ|e30)/.test(token)) return token;
    const [header, payload, signature] = token.split('.');
    // Matched as text: a header with characters beyond Latin-1 may not be valid JSON.
    const named = /"alg":"(ES|PS)/.test(Buffer.from(header, 'base64url').toString('latin1'));
    // A header set by the caller may have another `alg` than the option.
    const random = named || args.some((arg) => typeof arg?.algorithm === 'string' && /^(ES|PS)/.test(arg.algorithm));
    return random && signature ? [header, payload, signature.length] : token;
  };
  const callbacks = record.callbacks.map((made) => ({ ...made, args: made.args?.map(blur) }));
  return { ...record, callbacks, returned: blur(record.returned) };
}

function same(one, other) {
  try {
    assert.deepStrictEqual(other, one);
    return true;
  } catch {
    return false;
  }
}

function succeeded({ returned, thrown, callbacks }) {
  const last = callbacks.at(-1);
  return thrown === undefined && (callbacks.length === 0 ? returned !== undefined && returned !== null : last.args?.[0] === null);
}
