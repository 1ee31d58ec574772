// The server process of a peer, whose adapter is the first argument; the second is the address of its Redis. Sends its port
// to its parent, and its processor time whenever it is asked. A response to a request with the header `x-hold` is not sent: the
// parent learns that it is ready, and kills the process.
import { createServer } from 'node:http';

const [adapter, redis] = process.argv.slice(2);
const listener = (await import(adapter)).listener(redis);

const server = createServer((req, res) => {
  if (req.headers['x-hold']) hold(res);
  listener(req, res);
});

// A connection closed during a behaviour's waits would look like a lost response.
server.keepAliveTimeout = 120_000;

function hold(res) {
  res.write = () => true;
  res.end = () => {
    process.send({ held: true });
    return res;
  };
}

server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ processor: user + system });
});
process.on('disconnect', () => process.exit(0));
