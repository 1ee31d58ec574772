import { authenticate, toResponse } from 'regrant/http';
import { auth } from '../../../lib/auth.js';

export async function GET(request) {
  const decision = await authenticate(auth(), request);
  if (!decision.ok) return toResponse(decision.answer);
  return Response.json({ id: decision.auth.subject });
}
