import { WebSocketServer } from 'ws';
import { authenticate } from 'regrant/http';

/** Accepts WebSockets with an access token, and closes them once the token has expired or the session is revoked. */
export function webSockets(server, auth, checkEvery = 10_000) {
  const sockets = new WebSocketServer({ noServer: true });
  const check = (request) => authenticate(auth, request);

  server.on('upgrade', async (request, socket, head) => {
    const destroy = () => socket.destroy();
    socket.once('error', destroy);
    const decision = await check(request);
    if (!decision.ok) {
      socket.once('finish', destroy);
      return socket.end(`HTTP/1.1 ${decision.answer.status} Refused\r\nConnection: close\r\n\r\n`);
    }
    socket.off('error', destroy);
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const recheck = async () => {
        const { ok, error } = await check(request);
        if (!ok) ws.close(4401, error.code); // the client refreshes and connects again
      };
      const timer = setInterval(recheck, checkEvery);
      const { sessionId: own } = decision.auth;
      // A session that is revoked, here or by another process, is over at once.
      const unsubscribe = auth.onRevoked(({ sessionId = own }) => void (sessionId === own && recheck()));
      ws.once('close', () => {
        clearInterval(timer);
        unsubscribe();
      });
      sockets.emit('connection', ws, decision.auth);
    });
  });
  return sockets;
}
