import { type AddressInfo, Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { HttpServer } from './server.ts';

export type ListenAddress = { host?: string; port: number };

/**
 * Opens the port. Without a host every interface is meant, except on a localhost issuer (`loopbackOnly`), which has no
 * business being reachable from elsewhere.
 *
 * @throws {Error} naming the address when it is taken
 */
export const listen = async (app: HttpServer, address: ListenAddress, loopbackOnly: boolean): Promise<number> => {
  const host = address.host ?? (loopbackOnly ? 'localhost' : '::');
  try {
    await app.listen({ port: address.port, host });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      throw new Error(`port ${address.port} is in use already; is another authserver running?`, { cause: error });
    if (code === 'EAFNOSUPPORT' && host === '::') return listen(app, { host: '0.0.0.0', port: address.port }, false);
    throw new Error(`cannot listen on ${host}:${address.port}: ${message}`, { cause: error });
  }
  return (app.server.address() as AddressInfo).port;
};

const idlePollMs = 50;
/** Requests that were sent on a connection we had just accepted are here by then. */
const settleMs = 100;

/**
 * Stops accepting, lets requests in flight finish, and cuts what is left when the time is over.
 * A connection whose answer was under way keeps itself alive afterwards, so it is closed as soon as it is idle. Node closes
 * idle connections together with the port, and takes one whose first request it has not read yet for idle: so the port goes
 * first, and the connections a moment later.
 */
export const drain = async (app: HttpServer, waitMs: number): Promise<void> => {
  const cut = setTimeout(() => app.server.closeAllConnections(), waitMs);
  if (app.server.listening) {
    Server.prototype.close.call(app.server);
    await pause(Math.min(settleMs, waitMs));
  }
  const idle = setInterval(() => app.server.closeIdleConnections(), idlePollMs);
  await app.close().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_SERVER_NOT_RUNNING') throw error; // it is what we have done above
  });
  clearInterval(idle);
  clearTimeout(cut);
};
