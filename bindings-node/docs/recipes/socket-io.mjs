import { Server } from 'socket.io';
import { authenticate } from 'regrant/http';

/** Accepts clients with an access token, and disconnects them once it has expired or the session is revoked. */
export function socketServer(server, auth, checkEvery = 10_000) {
  const io = new Server(server);
  const check = ({ handshake: { auth: sent } }) => {
    // Clients send what they like: only a string is a token.
    const token = typeof sent.token === 'string' ? sent.token : '';
    return authenticate(auth, { headers: { authorization: `Bearer ${token}` } });
  };

  io.use((socket, next) => {
    check(socket).then(({ ok, error, auth: access }) => {
      if (!ok) return next(Object.assign(new Error(error.message), { data: { code: error.code, advice: error.advice } }));
      socket.data.access = access;
      next();
    }).catch(next);
  });
  io.on('connection', (socket) => {
    const timer = setInterval(() => {
      check(socket).then(({ ok }) => ok || socket.disconnect(), () => socket.disconnect());
    }, checkEvery);
    socket.once('disconnect', () => clearInterval(timer));
  });
  return io;
}
