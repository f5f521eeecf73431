/** The wish that this process ends, told by SIGTERM or SIGINT. */
export type EndSignals = { told: Promise<NodeJS.Signals>; aborted: AbortSignal };

/** One right after the first is the same wish: a supervisor signals the whole group, and npm passes its own on. */
const sameWishMs = 500;

/** Listens from now on. A second signal from an impatient person ends the process at once. */
export const listenForEnd = (): EndSignals => {
  const told = Promise.withResolvers<NodeJS.Signals>();
  const controller = new AbortController();
  let impatientFrom: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (impatientFrom !== undefined && performance.now() > impatientFrom) process.exit(1);
    impatientFrom ??= performance.now() + sameWishMs;
    controller.abort();
    told.resolve(signal);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, onSignal);
  return { told: told.promise, aborted: controller.signal };
};
