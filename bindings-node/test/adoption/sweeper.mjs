// A process that runs the sweep and sends the report to its parent.
import { adoptingAuth } from './adopting-auth.mjs';

const report = await adoptingAuth(process.env).sweepLegacyTokens({ removeDead: true });
process.send({ report }, () => process.disconnect());
