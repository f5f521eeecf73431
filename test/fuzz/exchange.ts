import { connect } from 'node:net';

export type Exchanged = {
  /** 0 when the server hung up without a word. */
  status: number;
  head: string;
  body: string;
  milliseconds: number;
  timedOut: boolean;
};

/** Sends bytes as they are, says that no more will come, and takes what is answered until the server hangs up. */
export const exchange = (port: number, bytes: Buffer, timeoutMs: number): Promise<Exchanged> =>
  new Promise((resolve) => {
    const started = performance.now();
    const chunks: Buffer[] = [];
    let timedOut = false;
    const socket = connect({ port, host: 'localhost', allowHalfOpen: true });
    socket.setTimeout(timeoutMs, () => {
      timedOut = true;
      socket.destroy();
    });
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => socket.end());
    socket.on('error', () => {}); // reset while we still sent: what it said before counts
    socket.on('close', () => {
      const text = Buffer.concat(chunks)
        .toString('utf8')
        .replace(/^(?:HTTP\/1\.1 1\d\d .*?\r\n\r\n)+/s, '');
      const end = text.indexOf('\r\n\r\n');
      resolve({
        status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 0),
        head: end < 0 ? text : text.slice(0, end),
        body: end < 0 ? '' : text.slice(end + 4),
        milliseconds: performance.now() - started,
        timedOut,
      });
    });
  });
