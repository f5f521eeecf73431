import { pino } from 'pino';
import { gatherLines, worthWriting } from './gather-lines.ts';
import { spanFields } from './spans.ts';

export type Logger = pino.Logger;
export type LogOptions = {
  level: string;
  /** Where lines go in text format; without it standard output has JSON. */
  text?: Lines | undefined;
  stdout: boolean;
  component?: string;
  /** Say in which file and line a record was written. */
  source?: boolean;
  /** Told every line as well, as JSON. */
  also?: ((line: string) => void) | undefined;
};

/**
 * Where nobody reads, a server must not collect its log until memory is full: beyond so many bytes lines are lost, and
 * counted.
 */
const mostUnread = 8 * 1024 * 1024;

export type Lines = { write(line: string): unknown };

/**
 * The process logger. Nothing secret is handed to it in the first place; the redaction list is the second fence, for
 * headers that a library may attach.
 */
export const createLogger = (options: LogOptions): Logger => {
  const { stdout, text, also } = options;
  const settings = settingsOf({ ...options, level: stdout || also ? options.level : 'silent' });
  const gathered = stdout && !text ? gather() : undefined;
  const lines = gathered ?? (stdout ? text : undefined);
  const logger = pino(settings, also ? withAlso(lines, also) : (lines ?? nowhere));
  gathered?.tellLost((count) =>
    logger.error({ lines: count }, 'lines of the log were lost, because nobody read it fast enough'),
  );
  return logger;
};

const nowhere: Lines = { write: () => {} };

const withAlso = (lines: Lines = nowhere, also: (line: string) => void): Lines => ({
  write(line) {
    lines.write(line);
    also(line);
  },
});

const gather = () => {
  const destination = pino.destination({
    fd: 1,
    sync: false,
    contentMode: 'buffer',
    minLength: worthWriting,
    maxWrite: 2 * worthWriting,
    maxLength: mostUnread,
  });
  let lost = 0;
  destination.on('drop', (lines: Buffer) => {
    lost += lines.toString().split('\n').length - 1;
  });
  return Object.assign(gatherLines(destination), {
    tellLost(tell: (lines: number) => void) {
      destination.on('drain', () => {
        if (lost === 0) return;
        const lines = lost;
        lost = 0;
        tell(lines);
      });
    },
  });
};

/** The log of a command whose output is something else: JSON lines on standard error, each written at once. */
export const createErrorLogger = (): Logger =>
  pino(settingsOf({ level: 'info' }), pino.destination({ fd: 2, sync: true }));

const settingsOf = ({
  level,
  component,
  source,
}: Pick<LogOptions, 'level' | 'component' | 'source'>): pino.LoggerOptions => ({
  level,
  base: { service: 'authserver', ...(component ? { component } : {}) },
  timestamp: isoTime,
  formatters: { level: (label) => ({ level: label }) },
  redact: { paths: ['headers', 'req', 'password', 'token', 'secret', 'authorization'], censor: '[redacted]' },
  mixin: source ? () => ({ ...spanFields(), source: placeOf(new Error().stack) }) : spanFields,
});

/** Who called pino, which called the mixin: the first line is the message, the next four are the mixin's and pino's own. */
const placeOf = (stack = ''): string | undefined => {
  const place = /(?:file:\/\/|\(| at )([^()\s]+:\d+):\d+\)?$/.exec(stack.split('\n')[4] ?? '')?.[1];
  return place?.split('/').slice(-4).join('/');
};

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
