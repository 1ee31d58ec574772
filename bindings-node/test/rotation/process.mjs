// One process of an app: runs calls received over IPC on its own auth object.
import { createAuth } from 'regrant';

const auth = createAuth(JSON.parse(process.argv[2]));

const calls = {
  login: async (subject) => pair(await auth.login(subject)),
  refresh: async (token) => pair(await auth.refresh(token)),
  verify: (token) => auth.verifyAccess(token).subject,
  setKeys: (keys) => auth.setKeys(keys),
};
const pair = ({ accessToken, refreshToken }) => ({ access: accessToken, refresh: refreshToken });

process.on('message', async ({ id, call, args }) => {
  try {
    process.send({ id, value: await calls[call](...args) });
  } catch (error) {
    process.send({ id, code: error.code ?? String(error.stack) });
  }
});
process.send({ ready: true });
