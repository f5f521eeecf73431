/**
 * A TCP proxy between one pod and one service, so that this pod alone can lose it. Connections are told apart by their
 * first bytes, so that a part of them can be cut: LISTEN/NOTIFY, for one.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * What happens to connections: `open` passes everything; `refused` breaks those there are and every new one, as when the
 * process is gone; `silent` lets them stand and passes nothing, as when a cable is pulled, and what was sent arrives when
 * it is plugged in again; `slow` passes each packet later.
 */
export type Passage = 'open' | 'refused' | 'silent' | 'slow';

export type TcpProxy<Class extends string = string> = {
  port: number;
  /** For connections of one class, or of all. */
  set(passage: Passage, only?: Class): void;
  connections(): number;
  close(): Promise<void>;
};

export type TcpProxyOptions<Class extends string> = {
  /** The service may come back on another port. */
  target: () => number;
  classes: readonly Class[];
  /** From what the client says first; without it the connection belongs to the first class at once. */
  classify?: (first: Buffer) => Class;
};

const SLOW_MS = 200;

type Connection<Class> = {
  class: Class | undefined;
  down: Socket;
  up: Socket | undefined;
  /** From where a packet is on its slow way: nothing more is read there, or it would overtake that one. */
  delayed: Set<Socket>;
};

/** Starts listening on a free port of 127.0.0.1. */
export const startProxy = async <Class extends string>(options: TcpProxyOptions<Class>): Promise<TcpProxy<Class>> => {
  const { target, classes, classify } = options;
  const passages = new Map<Class, Passage>(classes.map((name) => [name, 'open']));
  const connections = new Set<Connection<Class>>();
  const passageOf = (connection: Connection<Class>): Passage =>
    (connection.class && passages.get(connection.class)) ?? 'open';

  const break_ = ({ down, up }: Connection<Class>): void => {
    down.destroy();
    up?.destroy();
  };
  const apply = (connection: Connection<Class>): void => {
    const passage = passageOf(connection);
    if (passage === 'refused') break_(connection);
    for (const socket of [connection.down, connection.up]) {
      if (passage === 'silent') socket?.pause();
      else if (socket && !connection.delayed.has(socket)) socket.resume();
    }
  };

  /** Passes on what arrives, in order; a full or slow way back pressures the sender. */
  const pass = (connection: Connection<Class>, from: Socket, to: Socket): void => {
    from.on('data', (chunk) => {
      const write = () => {
        if (to.writable && !to.write(chunk)) {
          from.pause();
          to.once('drain', () => passageOf(connection) !== 'silent' && from.resume());
        }
      };
      if (passageOf(connection) !== 'slow') return write();
      from.pause();
      connection.delayed.add(from);
      const arrive = () => {
        if (from.destroyed) return;
        if (passageOf(connection) === 'silent') return void setTimeout(arrive, SLOW_MS);
        connection.delayed.delete(from);
        write();
        from.resume();
      };
      setTimeout(arrive, SLOW_MS);
    });
    from.on('end', () => to.end());
    from.on('close', () => to.destroy());
  };

  const open = (connection: Connection<Class>, first?: Buffer): void => {
    if (passageOf(connection) === 'refused') {
      break_(connection);
      return;
    }
    const up = connect({ host: '127.0.0.1', port: target() });
    connection.up = up;
    up.setNoDelay(true).on('error', () => connection.down.destroy());
    if (first) up.write(first);
    pass(connection, connection.down, up);
    pass(connection, up, connection.down);
    apply(connection);
  };

  const server = createServer((down) => {
    const connection: Connection<Class> = {
      class: classify ? undefined : classes[0],
      down,
      up: undefined,
      delayed: new Set(),
    };
    connections.add(connection);
    down.setNoDelay(true).on('error', () => {});
    down.on('close', () => {
      connections.delete(connection);
      connection.up?.destroy();
    });
    if (!classify) return open(connection);
    down.once('data', (first: Buffer) => {
      connection.class = classify(first);
      open(connection, first);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));

  return {
    port: (server.address() as AddressInfo).port,
    set(passage, only) {
      for (const name of only === undefined ? classes : [only]) passages.set(name, passage);
      for (const connection of connections) apply(connection);
    },
    connections: () => connections.size,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        for (const connection of connections) break_(connection);
      }),
  };
};
