import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@authserver/cli/embedded-postgres';
import { startOwnServer } from './own-server.ts';
import { findProgram } from './programs.ts';

const binary = await findProgram(['redis-server'], ['redis-server']);

/** Why a test that stops, starts or configures a Redis of its own cannot run. */
export const noRedisServer = binary === undefined ? 'there is no redis-server on PATH' : false;

export type RedisServer = {
  port: number;
  url: string;
  /** Sends one command, to whatever state the server is in; the answer is as it is on the wire. */
  command(...words: string[]): Promise<string>;
  stop(): Promise<void>;
  /** Again on the same port, with what it had on disk: nothing, unless the flags say otherwise. */
  start(): Promise<void>;
};

/**
 * A Redis of the test file's own, to do to it what one must not do to a shared one. Gone when the file ends. With
 * `arguments` the whole command line, for a sentinel.
 */
export const startRedisServer = async (
  flags: readonly string[] = [],
  whole?: { arguments: readonly string[]; port: number },
): Promise<RedisServer> => {
  const directory = await mkdtemp(join(tmpdir(), 'authserver-redis-'));
  const port = whole?.port ?? (await freePort());

  const command = async (...words: string[]): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    try {
      socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);
      const [chunk] = (await once(socket, 'data', { signal: AbortSignal.timeout(5_000) })) as [Buffer];
      return chunk.toString().trim();
    } finally {
      socket.destroy();
    }
  };
  const own = ['--bind', '127.0.0.1', '--port', String(port), '--dir', directory, '--save', ''];
  const server = await startOwnServer({
    ...{ name: 'redis-server', binary, directory },
    args: [...(whole?.arguments ?? [...own, ...flags])],
    answers: () =>
      command('PING').then(
        (answer) => answer !== '',
        () => false,
      ),
  });
  return { port, url: `redis://127.0.0.1:${port}`, command, ...server };
};
