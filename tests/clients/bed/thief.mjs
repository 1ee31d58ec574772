// A second holder of somebody's refresh token, who does not use the line.

import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The thief uses the newest refresh token of the line before its owner does, and then the access token that he
 * got. When this returns, the grace is over: the owner's next refresh is the one that is caught.
 */
export async function steal(line, grace) {
  const token = line.refreshTokens.at(-1);
  if (!token) throw new Error('nobody has signed in on this line');
  const stolen = await refresh(line, token);
  if (stolen.status !== 200) throw new Error(`the thief got ${JSON.stringify(stolen)}`);
  const headers = { authorization: `Bearer ${stolen.body.accessToken}` };
  const used = await line.direct('GET', '/api/me', { headers });
  if (used.status !== 200) throw new Error(`the thief's access token got ${used.status}`);
  await sleep(grace * 1000 + 100);
  return {};
}

/**
 * The thief plays back the oldest refresh token of the line, and is caught: the owner's session ends with his. The
 * owner must have refreshed twice.
 */
export async function replay(line, grace) {
  const [token] = line.refreshTokens;
  if (line.refreshTokens.length < 3) throw new Error('there is no refresh token old enough on this line');
  await sleep(grace * 1000 + 100);
  const { body } = await refresh(line, token);
  return { code: body.error?.code };
}

function refresh(line, refreshToken) {
  const headers = { 'content-type': 'application/json' };
  return line.direct('POST', '/mobile/refresh', { headers, body: JSON.stringify({ refreshToken }) });
}
