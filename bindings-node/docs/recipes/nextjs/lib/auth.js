import { createAuth } from 'regrant';

// Created at the first request, because `next build` imports this module without the secret; and kept on `globalThis`,
// because Next.js evaluates it once for pages, once for route handlers, and again at each change in development.
export function auth() {
  globalThis.regrantAuth ??= createAuth({
    secret: process.env.SECRET_KEY,
    store: process.env.SESSION_STORE,
    // Pages receive the refresh cookie only where its path includes them.
    web: { accessCookie: true, path: '/' },
  });
  return globalThis.regrantAuth;
}
