const story = require('./story.cjs');

story(require('regrant'), require('regrant/express'), require('regrant/jsonwebtoken'), require('express'));
