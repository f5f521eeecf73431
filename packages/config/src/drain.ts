import { isLocalhostIssuer } from './issuer.ts';
import type { Config } from './schema.ts';

/** Milliseconds a process stays open after it said that it is not ready, and those its last requests may then take. */
export type DrainTimes = { delayMs: number; waitMs: number };

const usualDelay = 5;

/** How `server.shutdown_wait` is divided. On localhost nobody balances, and a person waits. */
export const drainTimes = ({ server }: Pick<Config, 'server'>): DrainTimes => {
  const { issuer, shutdown_wait, drain_delay } = server;
  const unset = isLocalhostIssuer(issuer) ? 0 : Math.min(usualDelay, shutdown_wait / 2);
  const delay = drain_delay ?? unset;
  return { delayMs: delay * 1000, waitMs: (shutdown_wait - delay) * 1000 };
};
