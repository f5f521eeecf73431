import { setTimeout as pause } from 'node:timers/promises';
import type { Paint } from './columns.ts';
import { type Frame, frameOf } from './frame.ts';
import { renderPage } from './page.ts';
import { openScreen } from './screen.ts';
import type { Sight } from './watch.ts';

export type LiveOptions = {
  watch: { look(): Promise<Sight> };
  first: Sight;
  intervalMs: number;
  firstPauseMs: number;
  paint: Paint;
};

const quits = ['q', 'Q', '\u0003'];

/** Shows one look after the other until somebody has seen enough. @returns the last of them */
export const watchLive = async ({ watch, first, intervalMs, firstPauseMs, paint }: LiveOptions): Promise<Frame> => {
  const enough = new AbortController();
  let signalled: NodeJS.Signals | undefined;
  let frame = frameOf(first);
  const { stdin, stdout } = process;
  const draw = () => {
    const { columns = 80, rows = 24 } = stdout;
    screen.draw(renderPage(frame, { columns, rows }, paint, 'q quits'));
  };
  const screen = openScreen({
    ...{ stdin, stdout },
    onKey: (key) => quits.includes(key) && enough.abort(),
    onChange: () => draw(),
    onEnd(signal) {
      signalled = signal;
      enough.abort();
    },
  });
  try {
    draw();
    let due = performance.now() + firstPauseMs;
    while (!enough.signal.aborted) {
      await pause(Math.max(0, due - performance.now()), undefined, { signal: enough.signal }).catch(() => {});
      if (enough.signal.aborted) break;
      due = performance.now() + intervalMs;
      frame = frameOf(await watch.look());
      if (!enough.signal.aborted) draw();
    }
  } finally {
    screen.close();
  }
  // Whoever sent it waits for a process that ends by it; Ctrl-C is a way to quit.
  if (signalled !== undefined && signalled !== 'SIGINT') process.kill(process.pid, signalled);
  return frame;
};
