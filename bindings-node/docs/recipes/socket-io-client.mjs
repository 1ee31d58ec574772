import { io } from 'socket.io-client';

/**
 * Connects with the newest access token; `refresh` calls the refresh endpoint and returns a new one. `onError` gets what
 * `refresh` throws: the session is over, or it was not possible to ask.
 */
export function connect(url, { accessToken, refresh, onError }) {
  const socket = io(url, { auth: (give) => give({ token: accessToken }) });
  const renew = async () => {
    try {
      accessToken = await refresh();
    } catch (error) {
      return onError(error);
    }
    socket.connect();
  };
  socket.on('connect_error', (error) => error.data?.advice === 'refresh' && renew());
  socket.on('disconnect', (reason) => reason === 'io server disconnect' && renew());
  return socket;
}
