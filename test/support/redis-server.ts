import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { freePort, type Tethered, tether } from '@authserver/cli/embedded-postgres';
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
  if (binary === undefined) throw new Error('there is no redis-server on PATH');
  const directory = await mkdtemp(join(tmpdir(), 'authserver-redis-'));
  const port = whole?.port ?? (await freePort());
  let server: Tethered | undefined;

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
  const start = async (): Promise<void> => {
    const own = ['--bind', '127.0.0.1', '--port', String(port), '--dir', directory, '--save', ''];
    server = tether(binary, [...(whole?.arguments ?? [...own, ...flags])], {
      signal: 'TERM',
      env: { PATH: process.env.PATH },
    });
    for (let left = 200; left > 0; left -= 1) {
      if (await command('PING').catch(() => undefined)) return;
      await setTimeout(25);
    }
    throw new Error(`redis-server did not start: ${server.output()}`);
  };
  const stop = async (): Promise<void> => {
    await server?.stop();
    server = undefined;
  };

  await start();
  after(async () => {
    await stop();
    await rm(directory, { recursive: true, force: true });
  });
  return { port, url: `redis://127.0.0.1:${port}`, command, start, stop };
};
