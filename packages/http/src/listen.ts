import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { type AddressInfo, createServer, Server, type Socket } from 'node:net';
import { leadTo } from './drain.ts';
import type { HttpServer } from './server.ts';

export type ListenAddress = { host?: string; port: number };

/**
 * Opens the port. Without a host every interface is meant, except on a localhost issuer (`loopbackOnly`), which has no
 * business being reachable from elsewhere. `localhost` is each of its addresses: clients try either first.
 *
 * @throws {Error} naming the address when it is taken
 */
export const listen = (app: HttpServer, address: ListenAddress, loopbackOnly: boolean): Promise<number> =>
  resolving(address, loopbackOnly, (hosts, port) => openPorts(app, hosts, port));

/**
 * The same port at each of the addresses; the first must be there. Fastify would do it for `localhost`, but forget requests
 * that came by another address when it closes.
 */
export const openPorts = async (app: HttpServer, hosts: readonly string[], port: number): Promise<number> => {
  await app.ready();
  const servers: Server[] = [];
  leadTo(app, () => servers.map(closePort));
  return openAll(servers, hosts, port, (isFirst) =>
    isFirst
      ? app.server
      : createServer({ allowHalfOpen: true, noDelay: true }, (connection) => app.server.emit('connection', connection)),
  );
};

/** A port whose connections are for somebody else. */
export type Entrance = {
  port: number;
  /** Accepts nothing more; what was accepted is not ours to close. */
  close(): void;
};

/**
 * Opens the port as {@link listen} does, and reads nothing from the connections it gives to `pass`.
 *
 * @throws {Error} naming the address when it is taken
 */
export const listenFor = async (
  pass: (connection: Socket) => void,
  address: ListenAddress,
  loopbackOnly: boolean,
): Promise<Entrance> => {
  const servers: Server[] = [];
  const close = (): void => {
    for (const server of servers) server.close();
  };
  try {
    const create = () => createServer({ noDelay: true, pauseOnConnect: true }, pass);
    const port = await resolving(address, loopbackOnly, (hosts, wanted) => openAll(servers, hosts, wanted, create));
    return { port, close };
  } catch (error) {
    close();
    throw error;
  }
};

/** Opens what an address means, and says in words of its own what is in the way. */
const resolving = async (
  address: ListenAddress,
  loopbackOnly: boolean,
  open: (hosts: readonly string[], port: number) => Promise<number>,
): Promise<number> => {
  const host = address.host ?? (loopbackOnly ? 'localhost' : '::');
  try {
    return await open(host === 'localhost' ? await addressesOf(host) : [host], address.port);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      throw new Error(`port ${address.port} is in use already; is another authserver running?`, { cause: error });
    if (code === 'EAFNOSUPPORT' && host === '::')
      return resolving({ host: '0.0.0.0', port: address.port }, false, open);
    throw new Error(`cannot listen on ${host}:${address.port}: ${message}`, { cause: error });
  }
};

/** @param servers gets each as soon as it is open, so that they can be closed if a further one cannot be opened */
const openAll = async (
  servers: Server[],
  [first, ...others]: readonly string[],
  port: number,
  create: (isFirst: boolean) => Server,
): Promise<number> => {
  const server = create(true);
  await open(server, first, port);
  servers.push(server);
  const { port: opened } = server.address() as AddressInfo;
  for (const host of others) {
    const other = create(false);
    await open(other, host, opened).then(() => servers.push(other), unlessMissing);
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

/** Accepts nothing more. Resolves when its connections are gone. */
const closePort = (server: Server): Promise<void> =>
  new Promise((resolve) => void Server.prototype.close.call(server, () => resolve()));
