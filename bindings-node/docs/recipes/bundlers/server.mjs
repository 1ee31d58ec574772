// A small server to bundle: a login and a route behind an access token.
import { createServer } from 'node:http';
import { createAuth } from 'regrant';
import { authenticate, loginAnswer, toResponse } from 'regrant/http';

const auth = createAuth({ secret: process.env.SECRET_KEY, store: 'memory:' });

async function answer(request) {
  if (request.url === '/login') return toResponse(loginAnswer(auth, request, await auth.login('user-1')));
  const decision = await authenticate(auth, request);
  return decision.ok ? Response.json({ id: decision.auth.subject }) : toResponse(decision.answer);
}

const server = createServer(async (request, response) => {
  const { status, headers, body } = await answer(request);
  response.writeHead(status, Object.fromEntries(headers)).end(body && Buffer.from(await new Response(body).arrayBuffer()));
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => console.log(server.address().port));
