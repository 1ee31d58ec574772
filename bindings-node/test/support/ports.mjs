// Free loopback ports for the servers of tests.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** Below the ephemeral port range: a client that reconnects to a killed server could be assigned its port. */
const PORTS = { first: 12_000, count: 20_000 };
const PORT_ATTEMPTS = 5;
let nextPort = process.pid * 7919;

/**
 * Leases a port until `release`, even while the server is down. The lease is a bound UDP socket with the same port
 * number, as in tests/support.
 */
export async function leasePort() {
  for (let attempt = 0; attempt < PORTS.count; attempt += 1) {
    const port = PORTS.first + (nextPort++ % PORTS.count);
    const lease = createSocket('udp4');
    const leased = await new Promise((resolve) => {
      lease.once('error', () => resolve(false));
      lease.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true));
    });
    if (leased && (await isFree(port))) return { port, release: () => lease.close() };
    if (leased) lease.close();
  }
  throw new Error('no free port');
}

/** Starts a server on a leased port; on another one if a process takes it before the server binds it. */
export async function startOnLeasedPort(server) {
  for (let attempt = 1; ; attempt += 1) {
    server.release();
    ({ port: server.port, release: server.release } = await leasePort());
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.kill();
      if (attempt === PORT_ATTEMPTS || error.code === 'ENOENT') throw error;
    }
  }
}

async function isFree(port) {
  const probe = createServer();
  const free = await new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (free) await new Promise((closed) => probe.close(closed));
  return free;
}
