import type { pino } from 'pino';

type Destination = ReturnType<typeof pino.destination>;

/** Bytes a destination gets at once, and should wait for. What it has begun to write when the process ends may be lost. */
export const worthWriting = 32 * 1024;
const longestWaitMs = 100;
const room = 2 * worthWriting;
/** Bytes a character takes in UTF-8 at most, by the length of JavaScript's strings. */
const mostBytes = 3;

/**
 * Lines gather until there are enough of them, or for a tenth of a second: a write for each would cost a request more than
 * the line itself, and a slow terminal or pipe never holds one up. What has gathered is written when the process ends,
 * unless it is killed.
 *
 * They gather here and not in the destination, which measures all it holds again with every line; and as bytes, since a
 * text that is put together from thousands of pieces is a burden to the garbage collector until it is written. The
 * destination is one for buffers (`contentMode`).
 */
export const gatherLines = (destination: Destination): { write(line: string): void; flushSync(): void } => {
  let batch = Buffer.allocUnsafeSlow(room);
  let used = 0;
  let timer: NodeJS.Timeout | undefined;
  const handOver = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (used === 0) return;
    const gathered = batch.subarray(0, used);
    batch = Buffer.allocUnsafeSlow(room); // the destination keeps the other until it is written
    used = 0;
    send(gathered);
  };
  const send = (lines: Buffer): void => {
    destination.write(lines as unknown as string); // its types know of strings alone
  };
  // Whoever flushes it means what is still here as well: pino does when the process ends.
  const { flush, flushSync } = destination;
  destination.flush = (done) => {
    handOver();
    flush.call(destination, done);
  };
  destination.flushSync = () => {
    handOver();
    flushSync.call(destination);
  };
  return {
    write(line) {
      if (used + line.length * mostBytes > room) handOver();
      if (line.length * mostBytes > room) return send(Buffer.from(line));
      used += batch.write(line, used);
      if (used >= worthWriting) handOver();
      else timer ??= setTimeout(() => destination.flush(), longestWaitMs).unref();
    },
    flushSync: () => destination.flushSync(),
  };
};
