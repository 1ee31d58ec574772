import { loginAnswer, toResponse } from 'regrant/http';
import { auth } from '../../../lib/auth.js';
import { checkPassword } from '../../../lib/users.js';

export async function POST(request) {
  const user = await checkPassword(await request.json());
  if (!user) return Response.json({ error: 'wrong name or password' }, { status: 401 });
  return toResponse(loginAnswer(auth(), request, await auth().login(user.id)));
}
