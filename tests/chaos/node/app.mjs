// One process of an app whose sessions are in its own database: a recipe of bindings-node/docs/custom-stores.md, from
// the files that the page shows.
//
// Reads lines of JSON from standard input until that ends, and answers with lines of JSON. The first line is the
// configuration; the others are calls.
import { createInterface } from 'node:readline';
import { createAuth, custom } from '../../../bindings-node/index.mjs';
import { stores } from '../../../bindings-node/test/databases/stores.mjs';
import { defects } from './defects.mjs';

const answer = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { recipe, url, config, migrates, defect } = JSON.parse((await lines.next()).value);
const { store, migrate } = await stores[recipe](url);
if (migrates) await migrate();
// Silent about the outages that the scenario makes.
const auth = createAuth({ ...config, onLog() {}, store: custom(defect ? defects[defect](store) : store) });

const calls = {
  async login({ subject }) {
    const { sessionId, accessToken, refreshToken } = await auth.login(subject);
    return { session: sessionId, access: accessToken, refresh: refreshToken };
  },
  async refresh({ token }) {
    const { accessToken, refreshToken } = await auth.refresh(token);
    return { access: accessToken, refresh: refreshToken };
  },
  logout: ({ token }) => auth.logout(token),
  verify: ({ access }) => auth.verifyAccess(access).subject,
};

async function serve({ id, call, ...args }) {
  try {
    answer({ id, value: await calls[call](args) });
  } catch (error) {
    // What is not an error of regrant is a defect of this program or of regrant.
    const { code = 'UNEXPECTED', advice = 'fix' } = error;
    answer({ id, failure: { code, advice, message: advice === 'fix' ? error.stack : error.message } });
  }
}

answer({ ready: true });
for await (const line of lines) serve(JSON.parse(line));
// The pool of the database would keep the process.
process.exit();
