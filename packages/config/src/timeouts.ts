import type { Config } from './schema.ts';

/** How long a client may take for each part of a request; 0 is no limit. */
export type Timeouts = { readTimeoutMs: number; writeTimeoutMs: number; idleTimeoutMs: number };

export const timeouts = ({ server }: Pick<Config, 'server'>): Timeouts => ({
  readTimeoutMs: server.read_timeout * 1000,
  writeTimeoutMs: server.write_timeout * 1000,
  idleTimeoutMs: server.idle_timeout * 1000,
});
