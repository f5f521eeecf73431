import { createServer } from 'node:net';

/** Below the ports that systems give to outgoing connections, one of which could take the port of a pod that restarts. */
const FIRST = 10_000;
const LAST = 32_000;

// Several of these may run on one machine.
let next = FIRST + Math.floor(Math.random() * (LAST - FIRST));

/** A TCP port that nobody else will be given, so that a process can leave it and come back. */
export const reservePort = async (): Promise<number> => {
  for (;;) {
    next = next >= LAST ? FIRST : next + 1;
    const port = next;
    if ((await isFree(port, '127.0.0.1')) && (await isFree(port, 'localhost'))) return port;
  }
};

const isFree = (port: number, host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
