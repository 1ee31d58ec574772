module.exports = require('regrant/jsonwebtoken');
