#!/usr/bin/env node
'use strict';
// Node.js raises SIGINT again in its own handler, so that one and the command's would call each other for ever. A
// listener that comes and goes leaves the system's default in its place, which the command can take over.
const listener = () => {};
process.on('SIGINT', listener).off('SIGINT', listener);
process.exitCode = require('../native.cjs').cli(process.argv.slice(2));
