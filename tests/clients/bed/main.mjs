// The test bed: the real Express example with tokens that live for seconds, and a control over HTTP (control.mjs)
// that opens lines to it, each with its own faults and counts. Serves until it is ended.
//
//   PORT (required; 0: a free one, which is printed), ACCESS_TTL (3), GRACE (1): seconds; LINES (64): how many may be opened

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createApp } from '../../../bindings-node/example/app.mjs';
import { configFromEnv } from '../../../bindings-node/example/config.mjs';
import { controlOver } from './control.mjs';
import { Line } from './line.mjs';

const LOOPBACK = '127.0.0.1';
/** Longer than any pause of a test: a connection that ends by itself is no fault that was asked for. */
const KEEP_ALIVE = 600_000;
const { PORT, ACCESS_TTL = '3', GRACE = '1', LINES = '64' } = process.env;
if (!PORT) throw new Error('PORT says where the control is to be');

// The example must know from the start by which addresses it is reached: proofs of keys name them.
const lines = await Promise.all(Array.from({ length: Number(LINES) }, (_, index) => Line.open(index + 1)));
const origins = lines.map((line) => line.url);
const config = { ...configFromEnv({ ACCESS_TTL, GRACE }), origins, log: false, loginLimit: 1_000_000 };
const { app } = createApp(config);
const example = app.listen(0, LOOPBACK);
await once(example, 'listening');
example.keepAliveTimeout = KEEP_ALIVE;

for (const line of lines) line.leadTo(example.address().port);

const control = createServer(controlOver(config, lines));
control.listen(Number(PORT), LOOPBACK);
await once(control, 'listening');
console.log(`the test bed of the clients: http://${LOOPBACK}:${control.address().port}`);

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(0));
