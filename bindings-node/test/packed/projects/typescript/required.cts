import assert = require('node:assert/strict');
import regrant = require('regrant');
import handlers = require('regrant/express');
import jwt = require('regrant/jsonwebtoken');

const auth: regrant.Auth = regrant.createAuth({ secret: 'the secret of an empty project, long enough', store: 'memory:' });
assert.equal(typeof handlers.authenticate(auth, { optional: true }), 'function');
assert.equal((jwt.decode(jwt.sign({ id: 7 }, 'secret')) as jwt.JwtPayload)['id'], 7);
console.log(`${process.version} passed`);
