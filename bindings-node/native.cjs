'use strict';
// The addon of this platform. Every path is written out, within a `try` of its own: that is how bundlers and the
// tracers of serverless platforms find the addons, and forgive those that are not installed.
const manifest = require('./package.json');
const { currentPlatform, loadAddon } = require('./dist/addon.cjs');

const places = {
  'darwin-arm64': {
    local() {
      try { return { addon: require('./regrant.darwin-arm64.node') }; } catch (error) { return { error }; }
    },
    installed() {
      try {
        return { addon: require('regrant-darwin-arm64'), version: require('regrant-darwin-arm64/package.json').version };
      } catch (error) { return { error }; }
    },
  },
  'darwin-x64': {
    local() {
      try { return { addon: require('./regrant.darwin-x64.node') }; } catch (error) { return { error }; }
    },
    installed() {
      try {
        return { addon: require('regrant-darwin-x64'), version: require('regrant-darwin-x64/package.json').version };
      } catch (error) { return { error }; }
    },
  },
  'linux-arm64-gnu': {
    local() {
      try { return { addon: require('./regrant.linux-arm64-gnu.node') }; } catch (error) { return { error }; }
    },
    installed() {
      try {
        return { addon: require('regrant-linux-arm64-gnu'), version: require('regrant-linux-arm64-gnu/package.json').version };
      } catch (error) { return { error }; }
    },
  },
  'linux-arm64-musl': {
    local() {
      try { return { addon: require('./regrant.linux-arm64-musl.node') }; } catch (error) { return { error }; }
    },
    installed() {
      try {
        return { addon: require('regrant-linux-arm64-musl'), version: require('regrant-linux-arm64-musl/package.json').version };
      } catch (error) { return { error }; }
    },
  },
  'linux-x64-gnu': {
    local() {
      try { return { addon: require('./regrant.linux-x64-gnu.node') }; } catch (error) { return { error }; }
    },
    installed() {
      try {
        return { addon: require('regrant-linux-x64-gnu'), version: require('regrant-linux-x64-gnu/package.json').version };
      } catch (error) { return { error }; }
    },
  },
  'linux-x64-musl': {
    local() {
      try { return { addon: require('./regrant.linux-x64-musl.node') }; } catch (error) { return { error }; }
    },
    installed() {
      try {
        return { addon: require('regrant-linux-x64-musl'), version: require('regrant-linux-x64-musl/package.json').version };
      } catch (error) { return { error }; }
    },
  },
  'win32-x64-gnu': {
    local() {
      try { return { addon: require('./regrant.win32-x64-gnu.node') }; } catch (error) { return { error }; }
    },
    installed() {
      try {
        return { addon: require('regrant-win32-x64-gnu'), version: require('regrant-win32-x64-gnu/package.json').version };
      } catch (error) { return { error }; }
    },
  },
};

// In a bundle of ES modules there is no `__dirname`.
const folder = typeof __dirname === 'string' ? __dirname : undefined;
module.exports = loadAddon(currentPlatform(), places, manifest, folder);
