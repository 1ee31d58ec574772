// Requests to a running example (support.mjs), and the users who make them.

import assert from 'node:assert/strict';

export const PASSWORD = 'correct horse battery';

/** A request; `body` becomes JSON, `cookie` and `token` their headers. Returns `{ status, headers, cookies, body }`. */
export async function ask(on, method, path, { body, cookie, token, headers = {} } = {}) {
  const response = await fetch(on.url + path, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(cookie === undefined ? {} : { Cookie: `refreshToken=${cookie}` }),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json');
  const cookies = Object.fromEntries(
    response.headers
      .getSetCookie()
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  return { status: response.status, headers: response.headers, cookies, body: isJson ? JSON.parse(text) : text };
}

/** The refresh token in a response's cookie. */
export const cookieValue = (answer) => decodeURIComponent(answer.cookies.refreshToken.split(';')[0]);

/** Signs a new user up: `{ email, accessToken, refreshToken }`. */
export async function newUser(on, email) {
  const answer = await ask(on, 'POST', '/auth/signup', { body: { email, password: PASSWORD } });
  assert.equal(answer.status, 201);
  return { email, accessToken: answer.body.accessToken, refreshToken: cookieValue(answer) };
}

/** Signs a user in once more, as another device would. */
export async function logIn(on, email) {
  const answer = await ask(on, 'POST', '/auth/login', { body: { email, password: PASSWORD } });
  assert.equal(answer.status, 200);
  return { email, accessToken: answer.body.accessToken, refreshToken: cookieValue(answer) };
}
