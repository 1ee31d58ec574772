// Sign-up and log-in: the app checks the password, then asks regrant for a pair of tokens.

import { Router } from 'express';
import { loginResponse, proofOf } from 'regrant/express';
import { deviceLabel } from '../device.mjs';
import { PASSWORD_LENGTH, hashPassword, passwordMatches } from '../passwords.mjs';
import { EmailTaken } from '../users.mjs';
import { refuse } from './errors.mjs';

/** `delivery` says how the refresh token travels: see `cookieOptions`, or `{ cookie: false }` for JSON. */
export function accountRoutes({ auth, users, limitLogin }, delivery) {
  const routes = Router();

  async function startSession(req, res, user, status) {
    // An app that sends a proof of its key (DPoP) gets tokens that are bound to it.
    const pair = await auth.login(user.id, { device: deviceLabel(req), proof: proofOf(req) });
    res.status(status);
    loginResponse(res, pair, delivery);
  }

  routes.post('/signup', limitLogin, async (req, res) => {
    const input = credentials(req.body);
    if (input.problem) return refuse(res, 400, 'INVALID_INPUT', input.problem);
    // Who asks again with a better proof must not find the address taken by himself.
    auth.checkProof(proofOf(req));
    try {
      const user = users.create(input.email, await hashPassword(input.password));
      await startSession(req, res, user, 201);
    } catch (error) {
      if (!(error instanceof EmailTaken)) throw error;
      refuse(res, 409, 'EMAIL_TAKEN', error.message);
    }
  });

  routes.post('/login', limitLogin, async (req, res) => {
    const input = credentials(req.body);
    const user = input.problem ? undefined : users.findForLogin(input.email);
    if (input.problem || !(await passwordMatches(user?.passwordHash, input.password))) {
      // One answer for every cause: it must not tell which addresses have an account.
      return refuse(res, 401, 'WRONG_CREDENTIALS', 'E-mail address or password is wrong.');
    }
    await startSession(req, res, user, 200);
  });

  return routes;
}

/** Reads `{ email, password }`, or says what is wrong with them. */
export function credentials(body) {
  const { email, password } = body ?? {};
  if (typeof email !== 'string' || email.length > 254 || !/^[^\s@]+@[^\s@]+$/.test(email.trim())) {
    return { problem: 'Enter an e-mail address.' };
  }
  const { min, max } = PASSWORD_LENGTH;
  if (typeof password !== 'string' || password.length < min || password.length > max) {
    return { problem: `A password has ${min} to ${max} characters.` };
  }
  return { email: email.trim(), password };
}
