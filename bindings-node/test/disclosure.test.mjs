// No error about a configuration shows a value of it: a planted value in every option, in every shape.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { test } from 'node:test';
import { createAuth, createVerifier } from 'regrant';
import jwt from 'regrant/jsonwebtoken';
import { SECRET, testAuth } from './support/auth.mjs';

/** With words that messages of parsers are made of. */
const PLANTED = 'planted `planted`, expected planted at line 86753090017 column 1';
const NUMBER = 86_753_090_017;

class Holder {
  value = PLANTED;
  toString() { return PLANTED; }
}

const shapes = () => {
  const inner = [
    PLANTED, 'planted', ` ${PLANTED}\n`, 'redis://planted:planted@planted:planted/planted', NUMBER, -NUMBER, NUMBER + 0.5, BigInt(NUMBER),
    { base64: PLANTED }, { name: PLANTED }, { kty: 'oct', k: PLANTED, kid: PLANTED }, { name: { name: { name: [PLANTED, NUMBER] } } },
    Buffer.from(PLANTED), new Uint8Array(Buffer.from(PLANTED)).buffer, Object(PLANTED), Symbol(PLANTED), new Error(PLANTED), new Holder(),
    new Map([['name', PLANTED]]), new Set([PLANTED]), new Date(NUMBER), Promise.resolve(PLANTED), /planted/, () => PLANTED,
    { toJSON: () => PLANTED }, `${PLANTED}\ud800`, true, false, null,
  ];
  return [...inner, ...inner.map((shape) => [shape])];
};

/** All that an error says, its stack included. */
const said = (error) => [error, error.cause].filter(Boolean).map((each) => `${inspect(each)} ${JSON.stringify(each)}`).join(' ');
const assertClean = (error, about) => assert.doesNotMatch(said(error), /planted|86753090/i, about);

/** `[path, option]` of every option, from the reference. */
function options() {
  const reference = readFileSync(new URL('../../core/docs/configuration.md', import.meta.url), 'utf8');
  return reference.split('\n## ').slice(1).flatMap((section) => {
    const [title] = section.split('\n');
    const path = /^`([^`]+)`/.exec(title)?.[1] ?? '';
    const isVerifier = /createVerifier|^`(issuers|keySets)/.test(title);
    return [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => ({ isVerifier, path, name }));
  });
}

const validMembers = { 'keys[]': { alg: 'HS256' }, 'issuers[]': { issuer: 'issuer' }, dpop: { origin: 'https://app.example' }, migrate: { store: 'redis://127.0.0.1:1' } };

function planted({ isVerifier, path, name }, value) {
  const config = isVerifier
    ? { issuers: [{ issuer: 'issuer', keys: [{ alg: 'HS256', secret: SECRET }] }], onLog: () => {} }
    : { secret: SECRET, store: 'memory:', onLog: () => {} };
  let object = config;
  for (const segment of path.split('.').filter(Boolean)) {
    const [list, isList] = [segment.replace('[]', ''), segment.endsWith('[]')];
    const members = { ...validMembers[segment] };
    object[list] = isList ? [members] : members;
    object = members;
  }
  object[name] = value;
  return config;
}

test('no error of createAuth and createVerifier shows a value', () => {
  const all = options();
  assert.ok(all.length > 90, String(all.length));
  // Those of the bindings, which are not in the reference.
  const own = ['language', 'messages', 'onLog', 'logLevel', 'clock', 'onEvent', 'fetch', 'config'];
  all.push(...own.flatMap((name) => [false, true].map((isVerifier) => ({ isVerifier, path: '', name }))), { isVerifier: false, path: 'migrate', name: 'resolve' });
  let rejected = 0;
  for (const option of all) {
    for (const shape of shapes()) {
      // The default is a file in the working directory.
      if (option.name === 'store' && shape === null) continue;
      const about = `${option.path}.${option.name} ${inspect(shape)}`;
      try {
        (option.isVerifier ? createVerifier : createAuth)(planted(option, shape));
      } catch (error) {
        rejected += 1;
        assert.match(error.code ?? '', /^ERR_(CONFIG|ARGUMENT)_INVALID$/, `${about}: ${error}`);
        assertClean(error, about);
      }
    }
  }
  assert.ok(rejected > all.length * 30, String(rejected));
});

test('no error of a whole configuration of another kind shows it', () => {
  for (const shape of shapes()) {
    for (const make of [createAuth, createVerifier, (config) => testAuth().auth.setKeys(config)]) {
      try {
        make(shape);
      } catch (error) {
        assertClean(error, inspect(shape));
      }
    }
  }
});

test('errors name the option, what was expected and the kind that was found', () => {
  for (const [config, message] of [
    [{ previousSecrets: 'planted' }, /previousSecrets: expected an array, found a string/],
    [{ previousSecrets: [7] }, /previousSecrets\[0\]: expected a string or \{ base64 \}, found a number/],
    [{ keys: 'planted' }, /keys: expected an array, found a string/],
    [{ access: 'planted' }, /access: expected an object, found a string/],
    [{ access: { ttl: 900_000 } }, /access\.ttl: .*milliseconds.*"15m"/],
    [{ access: { ttl: 3_600_000 } }, /access\.ttl: .*milliseconds/],
    [{ refresh: { rotation: 'planted' } }, /refresh\.rotation: expected true or false, found a string/],
    [{ refresh: { idleTTL: 1 } }, /refresh\.idleTTL: unknown option, did you mean idleTtl\? Known options: .*absoluteTtl/],
    [{ secret: 'short' }, /secret: .*regrant keys secret.*allowShortSecret/],
  ]) {
    assert.throws(() => createAuth({ secret: SECRET, store: 'memory:', ...config }), (error) => message.test(error.message) || assert.fail(error.message));
  }
  for (const ttl of [900, '15m', 86_400, 604_800, 864_000]) assert.ok(createAuth({ secret: SECRET, store: 'memory:', access: { ttl } }));
});

test('no error of the drop-in for jsonwebtoken shows a secret', () => {
  const token = jwt.sign({ a: 1 }, SECRET);
  const names = ['algorithm', 'algorithms', 'expiresIn', 'notBefore', 'audience', 'issuer', 'jwtid', 'subject', 'noTimestamp', 'header', 'keyid', 'mutatePayload', 'clockTolerance', 'clockTimestamp', 'maxAge', 'complete'];
  for (const shape of shapes()) {
    for (const call of [
      () => jwt.sign({ a: 1 }, shape), () => jwt.sign({ a: 1 }, shape, { algorithm: 'RS256' }), () => jwt.verify(token, shape),
      () => jwt.verify(token, shape, { algorithms: ['ES256'] }), ...names.map((name) => () => jwt.sign({ a: 1 }, SECRET, { [name]: shape })),
    ]) {
      try {
        call();
      } catch (error) {
        assertClean(error, inspect(shape));
      }
    }
  }
});
