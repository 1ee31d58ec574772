import express from 'express';
import { AuthError, createAuth } from 'regrant';
import { authenticate, loginResponse, refreshHandler } from 'regrant/express';
import jwt, { JsonWebTokenError, sign, verify } from 'regrant/jsonwebtoken';
import story from './story.cjs';

await story({ AuthError, createAuth }, { authenticate, loginResponse, refreshHandler }, { JsonWebTokenError, sign, verify }, express);
await story({ AuthError, createAuth }, { authenticate, loginResponse, refreshHandler }, jwt, express);
