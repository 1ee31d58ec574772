import type * as jsonwebtoken from './jsonwebtoken.cjs';

export * from './jsonwebtoken.cjs';
declare const api: typeof jsonwebtoken;
export default api;
