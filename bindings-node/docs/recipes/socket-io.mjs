import { Server } from 'socket.io';
import { authenticate } from 'regrant/http';

/** Accepts clients with an access token, and disconnects them once it has expired or the session is revoked. */
export function socketServer(server, auth, checkEvery = 10_000) {
  const io = new Server(server);
  const check = ({ handshake }) => authenticate(auth, { headers: { authorization: `Bearer ${handshake.auth.token ?? ''}` } });

  io.use(async (socket, next) => {
    const { ok, error, auth: access } = await check(socket);
    if (!ok) return next(Object.assign(new Error(error.message), { data: { code: error.code, advice: error.advice } }));
    socket.data.access = access;
    next();
  });
  io.on('connection', (socket) => {
    const timer = setInterval(async () => {
      if (!(await check(socket)).ok) socket.disconnect();
    }, checkEvery);
    socket.once('disconnect', () => clearInterval(timer));
  });
  return io;
}
