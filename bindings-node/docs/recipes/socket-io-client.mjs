import { io } from 'socket.io-client';

/** Connects with the newest access token; `refresh` calls the refresh endpoint and answers with a new one. */
export function connect(url, { accessToken, refresh }) {
  const socket = io(url, { auth: (give) => give({ token: accessToken }) });
  const renew = async () => {
    accessToken = await refresh();
    socket.connect();
  };
  socket.on('connect_error', (error) => error.data?.advice === 'refresh' && renew());
  socket.on('disconnect', (reason) => reason === 'io server disconnect' && renew());
  return socket;
}
