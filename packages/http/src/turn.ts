let turn: Promise<void> | undefined;

/**
 * The end of this turn of the event loop. Whoever waits for the same one goes on right after the others, each in its own
 * context, before anything else is done for any of them.
 */
export const endOfTurn = (): Promise<void> =>
  (turn ??= new Promise((resolve) =>
    setImmediate(() => {
      turn = undefined;
      resolve();
    }),
  ));
