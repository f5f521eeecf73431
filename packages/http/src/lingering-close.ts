import type { IncomingMessage } from 'node:http';

/** Connections whose last answer has been given. */
const closing = new WeakSet<object>();

/** What comes on such a connection behind its last request is not carried out (RFC 9112 §9.6): nobody would hear of it. */
export const isClosing = ({ socket }: IncomingMessage): boolean => closing.has(socket);

const longestMs = 5_000;
const mostBytes = 8 * 1024 * 1024;

/**
 * Who is answered before the whole request was sent, and told that the connection ends, must still get the answer: closing
 * a connection on which something lies unread resets it, and a reset overtakes what was sent before. So such a connection
 * ends in stages (RFC 9112 §9.6): our side at once, and theirs when the request is over; what still comes is thrown away.
 * For a while and a number of bytes: who goes on sending for ever is cut.
 */
export const closeInStages = (request: IncomingMessage): void => {
  const { socket } = request;
  closing.add(socket);
  const cut = (): void => void socket.destroy();
  let unread = 0;
  request.on('data', (chunk: Buffer) => {
    unread += chunk.length;
    if (unread > mostBytes) cut();
  });
  request.resume();
  const closeAtOnce = socket.destroySoon.bind(socket);
  // Node calls this when the answer to a last request has been handed over.
  socket.destroySoon = () => {
    if (request.complete) return closeAtOnce();
    socket.end();
    const timer = setTimeout(cut, longestMs);
    socket.once('close', () => clearTimeout(timer));
    request.once('end', cut).once('error', cut);
  };
};
