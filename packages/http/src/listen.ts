import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { type AddressInfo, createServer, Server } from 'node:net';
import { setTimeout as pause, setImmediate as readSockets } from 'node:timers/promises';
import type { HttpServer } from './server.ts';

export type ListenAddress = { host?: string; port: number };

/** Ports of a server beside its own: where its name has several addresses, each has one. */
const otherPorts = new WeakMap<HttpServer, readonly Server[]>();

/**
 * Opens the port. Without a host every interface is meant, except on a localhost issuer (`loopbackOnly`), which has no
 * business being reachable from elsewhere. `localhost` is each of its addresses: clients try either first.
 *
 * @throws {Error} naming the address when it is taken
 */
export const listen = async (app: HttpServer, address: ListenAddress, loopbackOnly: boolean): Promise<number> => {
  const host = address.host ?? (loopbackOnly ? 'localhost' : '::');
  try {
    return await openPorts(app, host === 'localhost' ? await addressesOf(host) : [host], address.port);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      throw new Error(`port ${address.port} is in use already; is another authserver running?`, { cause: error });
    if (code === 'EAFNOSUPPORT' && host === '::') return listen(app, { host: '0.0.0.0', port: address.port }, false);
    throw new Error(`cannot listen on ${host}:${address.port}: ${message}`, { cause: error });
  }
};

/**
 * The same port at each of the addresses; the first must be there. Fastify would do it for `localhost`, but forget requests
 * that came by another address when it closes.
 */
export const openPorts = async (app: HttpServer, [first, ...others]: string[], port: number): Promise<number> => {
  await app.ready();
  await open(app.server, first, port);
  const { port: opened } = app.server.address() as AddressInfo;
  const further: Server[] = [];
  otherPorts.set(app, further);
  for (const host of others) {
    // As node:http has them: a client may end its side first, and no answer waits for more to send.
    const options = { allowHalfOpen: true, noDelay: true };
    const server = createServer(options, (socket) => app.server.emit('connection', socket));
    await open(server, host, opened).then(() => further.push(server), unlessMissing);
  }
  return opened;
};

const open = async (server: Server, host: string | undefined, port: number): Promise<void> => {
  server.listen({ host, port });
  await once(server, 'listening');
};

/** A host file may name an address that this machine does not have. */
const unlessMissing = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'EADDRNOTAVAIL' && error.code !== 'EAFNOSUPPORT') throw error;
};

const addressesOf = async (name: string): Promise<string[]> => {
  const found = await lookup(name, { all: true });
  return [...new Set(found.map(({ address }) => address))];
};

const idlePollMs = 50;
/** Requests that were sent on a connection we had just accepted are here by then. */
const settleMs = 100;

/**
 * Stops accepting, lets requests in flight finish, and cuts what is left when the time is over.
 * A connection whose answer was under way keeps itself alive afterwards, so it is closed as soon as it is idle. Node closes
 * idle connections together with the port, and takes one whose first request it has not read yet for idle: so the port goes
 * first, and the connections a moment later.
 *
 * @param lingerMs how long a kept connection may still bring a request before it is closed for being idle; for a process that
 * others have relieved, so that its clients have no reason to look elsewhere
 */
export const drain = async (app: HttpServer, waitMs: number, lingerMs = 0): Promise<void> => {
  const cut = setTimeout(() => app.server.closeAllConnections(), waitMs);
  const ports = [app.server, ...(otherPorts.get(app) ?? [])].filter(({ listening }) => listening);
  const left = Promise.all(ports.map(closePort));
  if (ports.length > 0) {
    const patience = new AbortController();
    const patienceMs = Math.min(Math.max(settleMs, lingerMs), waitMs);
    await Promise.race([left, pause(patienceMs, undefined, { signal: patience.signal }).catch(() => {})]);
    patience.abort();
    await readSockets();
  }
  const idle = setInterval(() => void closeIdle(app), idlePollMs);
  await app.close().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_SERVER_NOT_RUNNING') throw error; // it is what we have done above
  });
  await left;
  clearInterval(idle);
  clearTimeout(cut);
};

/** Accepts nothing more. Resolves when its connections are gone. */
const closePort = (server: Server): Promise<void> =>
  new Promise((resolve) => void Server.prototype.close.call(server, () => resolve()));

/** In a process that was held up timers come before sockets: on what looks idle may lie a request that nobody has read. */
const closeIdle = async ({ server }: HttpServer): Promise<void> => {
  await readSockets();
  server.closeIdleConnections();
};
