/**
 * How far long work is, on standard error and only for somebody who watches: a bar that is redrawn on a terminal, and
 * nothing at all in a pipe, a log or beside `--json` and `--quiet`. The line at the end stays.
 */

/** What of standard error is used. */
export type ProgressOutput = { isTTY?: boolean; columns?: number; write(text: string): unknown };

export type Progress = {
  /** So much more is done. */
  advance(count: number): void;
  /** So much is done altogether. */
  set(count: number): void;
  /** Takes the bar away and leaves `text`, when there is one. */
  done(text?: string): void;
};

export type ProgressOptions = {
  label: string;
  /** Without it there is a count and no bar. */
  total?: number;
  stderr?: ProgressOutput;
  /** Off with `--quiet` and `--json`. */
  enabled?: boolean;
  /** Milliseconds, for the pauses between two drawings. */
  now?: () => number;
};

/** More often nobody could read it, and drawing would cost more than the work. */
const pauseMs = 100;

export const createProgress = (options: ProgressOptions): Progress => {
  const { label, total, stderr = process.stderr, enabled = true, now = Date.now } = options;
  if (!enabled || stderr.isTTY !== true) return silent;
  let count = 0;
  let drawnAt = Number.NEGATIVE_INFINITY;
  const draw = () => {
    const time = now();
    if (time - drawnAt < pauseMs) return;
    drawnAt = time;
    stderr.write(`${clearLine}${lineOf(label, count, total, stderr.columns ?? 80)}`);
  };
  draw();
  return {
    advance(more) {
      count += more;
      draw();
    },
    set(value) {
      count = value;
      draw();
    },
    done: (text) => void stderr.write(text === undefined ? clearLine : `${clearLine}${text}\n`),
  };
};

const silent: Progress = { advance() {}, set() {}, done() {} };

const clearLine = '\r\u001b[K';

/** One line that fits, the last column left free: a terminal wraps when it is written to. */
const lineOf = (label: string, count: number, total: number | undefined, columns: number): string => {
  if (total === undefined) return `${label} ${count}`.slice(0, columns - 1);
  const share = total > 0 ? Math.min(1, count / total) : 1;
  const figures = `${count}/${total} ${Math.floor(share * 100)}%`;
  const width = Math.min(30, columns - label.length - figures.length - 5);
  if (width < 5) return `${label} ${figures}`.slice(0, columns - 1);
  const filled = Math.round(share * width);
  return `${label} [${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${figures}`;
};
