import { request as plain } from 'node:http';
import { request as secure } from 'node:https';
import type { Pod } from './pods.ts';

/** Less than people wait, more than `/metrics` takes while one of several workers does not answer. */
const patienceMs = 1_500;
const mostBytes = 64 * 1024 * 1024;

/** The text of `/metrics` of one process. @throws {Error} that says in a few words why there is none */
export const scrape = async ({ url, address }: Pod): Promise<string> => {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = {
    host: address ?? url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port,
    path: url.pathname,
    servername: url.hostname,
    headers: { host: url.host, accept: 'text/plain' },
    signal: AbortSignal.timeout(patienceMs),
  };
  const sent = (url.protocol === 'https:' ? secure : plain)(options, (answer) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    answer.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > mostBytes) sent.destroy(new Error('the answer has no end'));
      parts.push(part);
    });
    answer.on('error', reject);
    answer.on('end', () => {
      if (answer.statusCode === 200) resolve(Buffer.concat(parts).toString('utf8'));
      else reject(new Error(`HTTP ${answer.statusCode}`));
    });
  });
  sent.on('error', reject);
  sent.end();
  return promise.catch((error: NodeJS.ErrnoException) => {
    throw new Error(why(error), { cause: error });
  });
};

/** Of an error as Node gives it, in the words of an operator. */
export const why = (error: NodeJS.ErrnoException): string => {
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return `no answer in ${patienceMs / 1000} s`;
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'connection reset',
    ENOTFOUND: 'unknown host name',
    EAI_AGAIN: 'no name server answers',
    EHOSTUNREACH: 'no route to it',
    ENETUNREACH: 'no route to it',
  };
  return words[error.code ?? ''] ?? error.code ?? error.message;
};
