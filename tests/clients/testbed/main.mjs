// The testbed: the Express example with tokens that live for seconds, and an HTTP API (control.mjs) that opens
// fault-injecting proxies to it. Serves until it is terminated.
//
//   PORT (required; 0: a free port, which is printed), ACCESS_TTL (6), GRACE (1): seconds; PROXIES (64): how many may be opened.
// With shorter-lived tokens, a call on a busy machine may outlast its token, and the tests count every 401.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createApp } from '../../../bindings-node/example/app.mjs';
import { configFromEnv } from '../../../bindings-node/example/config.mjs';
import { controlOver } from './control.mjs';
import { FaultProxy } from './fault_proxy.mjs';

const LOOPBACK = '127.0.0.1';
/** In milliseconds: longer than any pause of a test, so that connections close only as a requested fault. */
const KEEP_ALIVE = 600_000;
const { PORT, ACCESS_TTL = '6', GRACE = '1', PROXIES = '64' } = process.env;
if (!PORT) throw new Error('PORT is required: the port of the control');

// The example must know its origins at startup, because DPoP proofs contain them.
const proxies = await Promise.all(Array.from({ length: Number(PROXIES) }, (_, index) => FaultProxy.open(index + 1)));
const origins = proxies.map((proxy) => proxy.url);
const config = { ...configFromEnv({ ACCESS_TTL, GRACE, UNUSED_GRACE: GRACE }), origins, log: false, loginLimit: 1_000_000 };
const { app } = createApp(config);
const example = app.listen(0, LOOPBACK);
await once(example, 'listening');
example.keepAliveTimeout = KEEP_ALIVE;

for (const proxy of proxies) proxy.forwardTo(example.address().port);

const control = createServer(controlOver(config, proxies));
control.listen(Number(PORT), LOOPBACK);
await once(control, 'listening');
console.log(`clients testbed: http://${LOOPBACK}:${control.address().port}`);

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(0));
