import type { Socket } from 'node:net';
import { leadTo } from './drain.ts';
import type { HttpServer } from './server.ts';

/**
 * Instead of a port: lets the server answer on connections that another process has accepted.
 *
 * @returns takes one of them, from which nothing was read
 */
export const receive = async (app: HttpServer): Promise<(connection: Socket) => void> => {
  await app.ready();
  // From here on node:http keeps its list of connections and cuts those that dribble their headers.
  app.server.emit('listening');
  const open = new Set<Socket>();
  const allGone = Promise.withResolvers<void>();
  let closing = false;
  const lookWhetherGone = (): void => {
    if (closing && open.size === 0) allGone.resolve();
  };
  leadTo(app, () => {
    closing = true;
    lookWhetherGone();
    return [allGone.promise];
  });
  return (connection) => {
    open.add(connection);
    connection.once('close', () => {
      open.delete(connection);
      lookWhetherGone();
    });
    app.server.emit('connection', connection);
  };
};
