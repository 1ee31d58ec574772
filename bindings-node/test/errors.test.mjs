// The errors, held to the vector file that all languages share.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { AuthError, errorCodes } from 'regrant';

const read = async (path) => readFile(new URL(path, import.meta.url), 'utf8');
const vectors = JSON.parse(await read('../../tests/vectors/errors.json'));

/** The members of a union of string literals in the declarations of error-codes. */
async function literals(name) {
  const declarations = await read('../dist/error-codes.d.cts');
  const [, union] = declarations.match(new RegExp(`type ${name} = ([^;]+);`));
  return union.split('|').map((literal) => literal.trim().slice(1, -1));
}

test('the table of codes is the vector file, entry for entry', () => {
  assert.ok(vectors.length > 20);
  const table = errorCodes.map(({ wwwAuthenticate = null, ...entry }) => ({ ...entry, wwwAuthenticate }));
  const expected = vectors.map(({ wwwAuthenticate = null, ...entry }) => ({ ...entry, wwwAuthenticate }));
  assert.deepEqual(table, expected);
});

test('the literal types are the codes, the advice and the languages of the vector file', async () => {
  const sorted = (list) => [...new Set(list)].sort();
  assert.deepEqual((await literals('ErrorCode')).sort(), sorted(vectors.map(({ code }) => code)));
  assert.deepEqual((await literals('Advice')).sort(), sorted(vectors.map(({ advice }) => advice)));
  assert.deepEqual((await literals('Language')).sort(), sorted(vectors.flatMap(({ messages }) => Object.keys(messages))));
});

test('an AuthError has what the table says about its code', () => {
  for (const { code, advice, status, wwwAuthenticate, messages } of vectors) {
    const error = new AuthError(code);
    assert.ok(error instanceof Error);
    assert.equal(error.name, 'AuthError');
    assert.deepEqual([error.code, error.advice, error.status], [code, advice, status]);
    assert.equal(error.message, messages.en);
    assert.deepEqual(error.headers, wwwAuthenticate ? { 'WWW-Authenticate': wwwAuthenticate } : {});
  }
});

test('detail is for developers: in the message, not in what a client sees', () => {
  const error = new AuthError('ERR_INTERNAL', { detail: 'the record is damaged' });
  assert.match(error.message, /the record is damaged/);
  assert.deepEqual(JSON.parse(JSON.stringify(error)), { code: 'ERR_INTERNAL', advice: 'fix', message: error.text });
  assert.doesNotMatch(error.text, /damaged/);
});

test('the reason of a revocation is for clients', () => {
  const error = new AuthError('ERR_SESSION_REVOKED', { reason: 'logout_everywhere' });
  assert.equal(error.toJSON().reason, 'logout_everywhere');
});
