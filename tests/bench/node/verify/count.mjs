// Verifies one token repeatedly and does nothing else, for a profiler that counts
// instructions, which do not depend on the load of the machine. From `bindings-node`, after
// `npm run build` (`16`: the capacity of the token cache, `0`: no cache; `4000`: how often):
//
//   valgrind --tool=callgrind --smc-check=all-non-file --collect-atstart=no \
//     --toggle-collect='*regrant_node*fast_function*call*' node ../tests/bench/node/verify/count.mjs 16 4000
import { TestClock } from '../../../../bindings-node/index.mjs';
import { authWith, keysFor } from './tokens.mjs';

const [kept, times] = process.argv.slice(2).map(Number);
// Valgrind does not support the way in which regrant reads the kernel's clock.
const auth = authWith(keysFor('HS256'), kept || false, new TestClock());
const { accessToken } = await auth.login('user-1');
const header = Buffer.from(accessToken, 'latin1');
for (let n = 0; n < times; n += 1) auth.verify(header.latin1Slice());
process.exit(0);
