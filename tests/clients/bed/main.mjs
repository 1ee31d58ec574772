// The test bed: the real Express example with tokens that live for seconds, and a control over HTTP (control.mjs)
// that opens lines to it, each with its own faults and counts. Serves until it is ended.
//
//   PORT (required), ACCESS_TTL (3), GRACE (1): seconds

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createApp } from '../../../bindings-node/example/app.mjs';
import { configFromEnv } from '../../../bindings-node/example/config.mjs';
import { controlOver } from './control.mjs';

const LOOPBACK = '127.0.0.1';
/** Longer than any pause of a test: a connection that ends by itself is no fault that was asked for. */
const KEEP_ALIVE = 600_000;
const { PORT, ACCESS_TTL = '3', GRACE = '1' } = process.env;
if (!PORT) throw new Error('PORT says where the control is to be');

const config = { ...configFromEnv({ ACCESS_TTL, GRACE }), log: false, loginLimit: 1_000_000 };
const { app } = createApp(config);
const example = app.listen(0, LOOPBACK);
await once(example, 'listening');
example.keepAliveTimeout = KEEP_ALIVE;

const control = createServer(controlOver(config, example.address().port));
control.listen(Number(PORT), LOOPBACK);
await once(control, 'listening');
console.log(`the test bed of the clients: http://${LOOPBACK}:${PORT}`);

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(0));
