// One process of an app whose sessions are in its own database: a recipe of bindings-node/docs/custom-stores.md, from
// the files that the page shows.
import { createAuth, custom } from '../../../bindings-node/index.mjs';
import { stores } from '../../../bindings-node/test/databases/stores.mjs';
import { serveCalls } from '../../support/node/calls.mjs';
import { defects } from '../../support/node/defects.mjs';

await serveCalls(async ({ recipe, url, config, migrates, defect }) => {
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

  return async ({ call, ...args }) => {
    try {
      return { value: await calls[call](args) };
    } catch (error) {
      // What is not an error of regrant is a defect of this program or of regrant.
      const { code = 'UNEXPECTED', advice = 'fix' } = error;
      return { failure: { code, advice, message: advice === 'fix' ? error.stack : error.message } };
    }
  };
});
