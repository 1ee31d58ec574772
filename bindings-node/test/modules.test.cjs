// CommonJS and ES module imports of the package share their objects.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const regrant = require('regrant');
const jsonwebtoken = require('regrant/jsonwebtoken');

const entries = {
  regrant,
  'regrant/express': require('regrant/express'),
  'regrant/fastify': require('regrant/fastify'),
  'regrant/http': require('regrant/http'),
  'regrant/jsonwebtoken': jsonwebtoken,
};

test('import and require return the same exports', async () => {
  for (const [name, required] of Object.entries(entries)) {
    const { default: _whole, 'module.exports': _same, ...imported } = await import(name);
    assert.deepEqual(Object.keys(imported).sort(), Object.keys(required).sort());
    for (const key of Object.keys(required)) assert.equal(imported[key], required[key], key);
  }
});

test('an error thrown through one is caught through the other', async () => {
  const { AuthError } = await import('regrant');
  assert.throws(() => regrant.createAuth({}), AuthError);
});

test('the drop-in has the exports of npm jsonwebtoken, as a plain object that test doubles can change', async (t) => {
  assert.deepEqual(Object.keys(jsonwebtoken), Object.keys(require('jsonwebtoken')));
  assert.equal(jsonwebtoken.__esModule, undefined);
  assert.equal((await import('regrant/jsonwebtoken')).default, jsonwebtoken);
  t.mock.method(jsonwebtoken, 'verify', () => 'mocked');
  assert.equal(jsonwebtoken.verify('token', 'secret'), 'mocked');
});

test('internal modules are not exported', () => {
  assert.throws(() => require('regrant/native.cjs'), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' });
});
