/**
 * A terminal for as long as something is shown on it: the other screen, no cursor, keys one by one. However the process
 * ends, the terminal is as it was before.
 */
import { writeSync } from 'node:fs';
import type { ReadStream, WriteStream } from 'node:tty';

export type Screen = {
  /** Replaces what is shown. Lines are no wider than the terminal. */
  draw(lines: readonly string[]): void;
  /** Gives the terminal back. */
  close(): void;
};

export type ScreenOptions = {
  stdin: ReadStream;
  stdout: WriteStream & { fd: number };
  onKey(key: string): void;
  /** There is another size now, or what was shown is gone. */
  onChange(): void;
  /** SIGINT, SIGTERM or SIGHUP came, or nobody holds the other end of the terminal. */
  onEnd(signal: NodeJS.Signals): void;
};

const csi = '\u001b[';
// The other screen, no cursor, and no second line for what is too long.
const enter = `${csi}?1049h${csi}?25l${csi}?7l`;
const leave = `${csi}?7h${csi}?25h${csi}?1049l`;
/** A terminal that knows this shows what is between them at once. */
const [begin, end] = [`${csi}?2026h`, `${csi}?2026l`];
const [home, restOfLine, restOfScreen] = [`${csi}H`, `${csi}K`, `${csi}J`];

const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export const openScreen = ({ stdin, stdout, onKey, onChange, onEnd }: ScreenOptions): Screen => {
  const read = (chunk: Buffer | string) => {
    for (const key of String(chunk)) onKey(key);
  };
  const handlers = endings.map((signal) => [signal, () => onEnd(signal)] as const);
  const gone = () => onEnd('SIGHUP');
  /** Also after somebody stopped the process, and the shell took the terminal. */
  const take = () => {
    if (stdin.isTTY) stdin.setRawMode(true);
    stdout.write(enter);
  };
  const resume = () => {
    take();
    onChange();
  };
  /** Synchronously: this may be the last that the process does. */
  const giveBack = () => {
    if (stdin.isTTY) stdin.setRawMode(false);
    try {
      writeSync(stdout.fd, leave);
    } catch {} // there is no terminal any more
  };

  take();
  if (stdin.isTTY) stdin.on('data', read).on('error', gone);
  stdout.on('resize', onChange).on('error', gone);
  process.on('exit', giveBack).on('SIGCONT', resume);
  for (const [signal, handler] of handlers) process.on(signal, handler);

  return {
    draw: (lines) => {
      stdout.write(`${begin}${home}${lines.map((line) => `${line}${restOfLine}`).join('\r\n')}${restOfScreen}${end}`);
    },
    close() {
      giveBack();
      stdin.off('data', read).off('error', gone).pause();
      stdout.off('resize', onChange);
      process.off('exit', giveBack).off('SIGCONT', resume);
      for (const [signal, handler] of handlers) process.off(signal, handler);
    },
  };
};
