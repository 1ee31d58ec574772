// The override of docs/moving-an-existing-app.md, installed by npm: packages that depend on jsonwebtoken use regrant.
import assert from 'node:assert/strict';
import { readFile, realpath, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { packageFolder } from '../packed/support.mjs';
import { SECRET } from '../support/auth.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const require = createRequire(import.meta.url);
const EXPIRED = { expiresIn: -1 };

let jwt;
before(async (t) => {
  // As `npm install regrant` would: the replacement requires it.
  const link = join(here, 'node_modules', 'regrant');
  await rm(link, { recursive: true, force: true });
  await symlink(packageFolder, link, 'junction');
  t.after(() => rm(link));
  jwt = require('regrant/jsonwebtoken');
});

for (const name of ['express-jwt', 'passport-jwt', '@nestjs/jwt']) {
  test(`${name} gets regrant for jsonwebtoken`, async () => {
    const used = createRequire(require.resolve(name)).resolve('jsonwebtoken');
    assert.equal(await realpath(used), join(here, 'vendor/jsonwebtoken/index.js'));
    assert.equal(require(used), jwt);
  });
}

test('express-jwt verifies a token, and refuses one that has expired', async () => {
  const { expressjwt } = require('express-jwt');
  const guard = expressjwt({ secret: SECRET, algorithms: ['HS256'] });
  const pass = (token) => {
    const req = { method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } };
    return new Promise((resolve) => { guard(req, {}, (error) => resolve(error ?? req.auth)); });
  };
  assert.equal((await pass(jwt.sign({ id: 7 }, SECRET))).id, 7);
  const error = await pass(jwt.sign({ id: 7 }, SECRET, EXPIRED));
  assert.deepEqual([error.name, error.status, error.inner.name], ['UnauthorizedError', 401, 'TokenExpiredError']);
});

test('passport-jwt verifies a token, and refuses one that has expired', async () => {
  const { ExtractJwt, Strategy } = require('passport-jwt');
  const options = { secretOrKey: SECRET, jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken() };
  const pass = (token) => new Promise((resolve, reject) => {
    const strategy = new Strategy(options, (claims, done) => done(null, claims));
    Object.assign(strategy, { success: resolve, fail: resolve, error: reject });
    strategy.authenticate({ headers: { authorization: `Bearer ${token}` } });
  });
  assert.equal((await pass(jwt.sign({ id: 7 }, SECRET))).id, 7);
  assert.ok((await pass(jwt.sign({ id: 7 }, SECRET, EXPIRED))) instanceof jwt.TokenExpiredError);
});

test('@nestjs/jwt signs and verifies', async () => {
  const { JwtService } = require('@nestjs/jwt');
  const service = new JwtService({ secret: SECRET, signOptions: { expiresIn: '1h' } });
  const token = await service.signAsync({ id: 7 });
  assert.equal((await service.verifyAsync(token)).id, 7);
  await assert.rejects(service.verifyAsync(service.sign({ id: 7 }, EXPIRED)), jwt.TokenExpiredError);
});

test('the guide shows what was installed', async () => {
  const [guide, manifest] = await Promise.all(
    ['../../docs/moving-an-existing-app.md', 'package.json'].map((path) => readFile(join(here, path), 'utf8')),
  );
  const shown = JSON.parse(/```json package\.json\n([^]*?)```/.exec(guide)[1]);
  const { devDependencies, overrides } = JSON.parse(manifest);
  assert.deepEqual(shown, { dependencies: { jsonwebtoken: devDependencies.jsonwebtoken }, overrides });
  for (const file of ['package.json', 'index.js']) {
    const text = await readFile(join(here, 'vendor/jsonwebtoken', file), 'utf8');
    assert.ok(guide.includes(`\`${text.trim()}\``), file);
  }
});
