// Sign-up and login: the app checks the password, then regrant issues a token pair.

import { Router } from 'express';
import { clientOf, loginResponse, proofOf } from 'regrant/express';
import { deviceLabel } from '../device.mjs';
import { PASSWORD_LENGTH, hashPassword, passwordMatches } from '../passwords.mjs';
import { EmailTaken } from '../users.mjs';
import { refuse } from './errors.mjs';

export function accountRoutes({ auth, users, limitLogin }) {
  const routes = Router();

  async function startSession(req, res, user, status) {
    const pair = await auth.login(user.id, {
      device: deviceLabel(req),
      // Address and user agent, for the list of devices and for audit events.
      ...clientOf(req),
      claims: { role: user.role },
      // Without "remember me" the browser forgets the session when it closes.
      persistent: req.body.remember !== false,
      // A client that sends a DPoP proof gets tokens that are bound to its key.
      proof: proofOf(req),
    });
    res.status(status);
    loginResponse(auth, res, pair);
  }

  routes.post('/signup', limitLogin, async (req, res) => {
    const input = credentials(req.body);
    if (input.problem) return refuse(res, 400, 'INVALID_INPUT', input.problem);
    // Checked first: the client retries with a new proof, and must not find the account created already.
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
      // One response for all causes, so that it does not reveal which addresses have an account.
      return refuse(res, 401, 'WRONG_CREDENTIALS', 'E-mail address or password is wrong.');
    }
    await startSession(req, res, user, 200);
  });

  return routes;
}

/** Validates `{ email, password }`; returns `{ problem }` if they are invalid. */
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
