import { setTimeout as pause, setImmediate as readSockets } from 'node:timers/promises';
import type { HttpServer } from './server.ts';

/** What leads to a server. */
const entrances = new WeakMap<HttpServer, () => readonly Promise<void>[]>();

/** @param close closes what leads to the server; each promise resolves when the connections that came that way are gone */
export const leadTo = (app: HttpServer, close: () => readonly Promise<void>[]): void => void entrances.set(app, close);

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
  const closing = entrances.get(app)?.() ?? [];
  const left = Promise.all(closing);
  if (closing.length > 0) {
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

/** In a process that was held up timers come before sockets: on what looks idle may lie a request that nobody has read. */
const closeIdle = async ({ server }: HttpServer): Promise<void> => {
  await readSockets();
  server.closeIdleConnections();
};
