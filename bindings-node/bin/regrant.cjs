#!/usr/bin/env node
'use strict';
process.exitCode = require('../native.cjs').cli(process.argv.slice(2));
