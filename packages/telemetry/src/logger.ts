import { pino } from 'pino';
import { PinoPretty } from 'pino-pretty';

export type Logger = pino.Logger;
export type LogOptions = { level: string; format: 'json' | 'text'; stdout: boolean; component?: string };

/**
 * Lines gather until there are enough of them, or for a tenth of a second: a write for each would cost a request more than
 * the line itself, and a slow terminal or pipe never holds one up. What has gathered is written when the process ends,
 * unless it is killed.
 *
 * Where nobody reads, a server must not collect its log until memory is full: beyond `maxLength` lines are lost, and counted.
 */
const gathering = { minLength: 32 * 1024, maxWrite: 64 * 1024, periodicFlush: 100, maxLength: 8 * 1024 * 1024 };

/**
 * The process logger. Nothing secret is handed to it in the first place; the redaction list is the second fence, for
 * headers that a library may attach.
 *
 * In text format lines are written synchronously and are meant for a person at a terminal.
 */
export const createLogger = (options: LogOptions): Logger => {
  const settings = settingsOf(options.stdout ? options.level : 'silent', options.component);
  if (options.format === 'json') return createGatheringLogger(settings);
  const pretty = PinoPretty({ sync: true, ignore: 'service,hostname,pid', translateTime: 'SYS:HH:MM:ss.l' });
  return pino(settings, pretty);
};

const createGatheringLogger = (settings: pino.LoggerOptions): Logger => {
  const destination = pino.destination({ fd: 1, sync: false, ...gathering });
  const logger = pino(settings, destination);
  let lost = 0;
  destination.on('drop', () => {
    lost += 1;
  });
  destination.on('drain', () => {
    if (lost === 0) return;
    const lines = lost;
    lost = 0;
    logger.error({ lines }, 'lines of the log were lost, because nobody read it fast enough');
  });
  return logger;
};

/** The log of a command whose output is something else: JSON lines on standard error, each written at once. */
export const createErrorLogger = (): Logger => pino(settingsOf('info'), pino.destination({ fd: 2, sync: true }));

const settingsOf = (level: string, component?: string): pino.LoggerOptions => ({
  level,
  base: { service: 'authserver', ...(component ? { component } : {}) },
  timestamp: isoTime,
  formatters: { level: (label) => ({ level: label }) },
  redact: { paths: ['headers', 'req', 'password', 'token', 'secret', 'authorization'], censor: '[redacted]' },
});

let latest = 0;
let latestText = '';

/** The time as pino writes it. Many lines have the same. */
export const isoTime = (): string => {
  const now = Date.now();
  if (now !== latest) {
    latest = now;
    latestText = `,"time":"${new Date(now).toISOString()}"`;
  }
  return latestText;
};
