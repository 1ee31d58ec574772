// A process that sweeps, and tells what it met.
import { adoptingAuth } from './adopting-auth.mjs';

const report = await adoptingAuth(process.env).sweepLegacyTokens({ removeDead: true });
process.send({ report }, () => process.disconnect());
