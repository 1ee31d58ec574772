// Verifies one token again and again and does nothing else, for a profiler that counts
// instructions: those do not depend on what else the machine is doing. From `bindings-node`, after
// `npm run build` (`16`: how many tokens are kept, `0`: none; `4000`: how often):
//
//   valgrind --tool=callgrind --smc-check=all-non-file --collect-atstart=no \
//     --toggle-collect='*regrant_node*fast_function*call*' node ../tests/bench/node/verify/count.mjs 16 4000
import { TestClock } from '../../../../bindings-node/index.mjs';
import { authWith, keysFor } from './tokens.mjs';

const [kept, times] = process.argv.slice(2).map(Number);
// Valgrind cannot read the clock of the kernel in the way that regrant does.
const auth = authWith(keysFor('HS256'), kept || false, new TestClock());
const { accessToken } = await auth.login('user-1');
const header = Buffer.from(accessToken, 'latin1');
for (let n = 0; n < times; n += 1) auth.verify(header.latin1Slice());
process.exit(0);
