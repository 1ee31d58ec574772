import { refresh, toResponse } from 'regrant/http';
import { auth, transport } from '../../../lib/auth.js';

export async function POST(request) {
  return toResponse(await refresh(auth(), request, transport));
}
