// The same objects as `require('regrant/jsonwebtoken')` gives.
import jsonwebtoken from './dist/jsonwebtoken/index.cjs';

export default jsonwebtoken;
export const { decode, verify, sign, JsonWebTokenError, NotBeforeError, TokenExpiredError } = jsonwebtoken;
