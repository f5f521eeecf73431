import { PinoPretty } from 'pino-pretty';
import type { Lines } from './logger.ts';

/** Standard output for a person at a terminal: text, written synchronously. */
export const openTextLines = (): Lines =>
  PinoPretty({ sync: true, ignore: 'service,hostname,pid', translateTime: 'SYS:HH:MM:ss.l' });
