import { pino } from 'pino';
import { PinoPretty } from 'pino-pretty';

export type Logger = pino.Logger;
export type LogOptions = { level: string; format: 'json' | 'text'; stdout: boolean; component?: string };

/**
 * The process logger. Nothing secret is handed to it in the first place; the redaction list is the second fence, for
 * headers that a library may attach.
 *
 * In text format lines are written synchronously and are meant for a person at a terminal.
 */
export const createLogger = (options: LogOptions): Logger => {
  const settings = settingsOf(options.stdout ? options.level : 'silent', options.component);
  // Lines gather while a write is under way, so that a slow terminal or pipe never holds up a request.
  if (options.format === 'json') return pino(settings, pino.destination({ fd: 1, sync: false }));
  const pretty = PinoPretty({ sync: true, ignore: 'service,hostname,pid', translateTime: 'SYS:HH:MM:ss.l' });
  return pino(settings, pretty);
};

/** The log of a command whose output is something else: JSON lines on standard error, each written at once. */
export const createErrorLogger = (): Logger => pino(settingsOf('info'), pino.destination({ fd: 2, sync: true }));

const settingsOf = (level: string, component?: string): pino.LoggerOptions => ({
  level,
  base: { service: 'authserver', ...(component ? { component } : {}) },
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (label) => ({ level: label }) },
  redact: { paths: ['headers', 'req', 'password', 'token', 'secret', 'authorization'], censor: '[redacted]' },
});
