import { logout, toResponse } from 'regrant/http';
import { auth } from '../../../lib/auth.js';

export async function POST(request) {
  return toResponse(await logout(auth(), request));
}
