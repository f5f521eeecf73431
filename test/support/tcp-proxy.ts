import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy that can be cut and mended, to take a service away from a server under test. */
export const startTcpProxy = async (target: { host: string; port: number }) => {
  const sockets = new Set<Socket>();
  let delayMs = 0;
  let mode: 'open' | 'refusing' | 'silent' = 'open';
  const server = createServer((downstream) => {
    sockets.add(downstream);
    downstream.on('error', () => {}).on('close', () => sockets.delete(downstream));
    if (mode === 'refusing') downstream.destroy();
    if (mode !== 'open') return;
    const upstream = connect(target);
    sockets.add(upstream);
    upstream.on('error', () => {}).on('close', () => sockets.delete(upstream) && downstream.destroy());
    downstream.on('close', () => upstream.destroy());
    downstream.on('data', (chunk) => mode === 'open' && upstream.write(chunk));
    upstream.on('data', (chunk) => {
      const pass = () => mode === 'open' && downstream.write(chunk);
      if (delayMs > 0) setTimeout(pass, delayMs);
      else pass();
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: address && typeof address === 'object' ? address.port : 0,
    /** Connections break and new ones are refused, as when the process is gone. */
    cut() {
      mode = 'refusing';
      cutAll();
    },
    /** Connections stand but nothing comes back, as when the machine hangs. */
    hang() {
      mode = 'silent';
    },
    /** What comes back comes so much later. */
    delay(ms: number) {
      delayMs = ms;
    },
    mend() {
      mode = 'open';
      cutAll();
    },
    close() {
      cutAll();
      server.close();
    },
  };
};
