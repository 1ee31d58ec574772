// Theft of refresh tokens, bypassing the proxy.

import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Uses the newest refresh token of the proxy before its owner does, the new access token, and the next refresh token.
 * Returns after the grace period: the owner's next refresh is detected as reuse.
 */
export async function steal(proxy, grace) {
  const token = proxy.refreshTokens.at(-1);
  if (!token) throw new Error('no session was created through this proxy');
  const stolen = await refresh(proxy, token);
  if (stolen.status !== 200) throw new Error(`the thief got ${JSON.stringify(stolen)}`);
  const headers = { authorization: `Bearer ${stolen.body.accessToken}` };
  const used = await proxy.direct('GET', '/api/me', { headers });
  if (used.status !== 200) throw new Error(`the thief's access token got ${used.status}`);
  // The server reports the use of an access token in the background; the grace begins at once with a refresh.
  const next = await refresh(proxy, stolen.body.refreshToken);
  if (next.status !== 200) throw new Error(`the thief's next refresh got ${JSON.stringify(next)}`);
  await sleep(grace * 1000 + 100);
  return {};
}

/**
 * Replays the oldest refresh token of the proxy, which is detected as reuse and revokes the session. The owner must
 * have refreshed twice.
 */
export async function replay(proxy, grace) {
  const [token] = proxy.refreshTokens;
  if (proxy.refreshTokens.length < 3) throw new Error('there is no refresh token old enough on this proxy');
  await sleep(grace * 1000 + 100);
  const { body } = await refresh(proxy, token);
  return { code: body.error?.code };
}

function refresh(proxy, refreshToken) {
  const headers = { 'content-type': 'application/json' };
  return proxy.direct('POST', '/mobile/refresh', { headers, body: JSON.stringify({ refreshToken }) });
}
