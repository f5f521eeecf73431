import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Who connections are handed to. */
export type Receiver = {
  /**
   * Takes a connection from which nothing was read, one at a time. Resolves to whether it is spent: taken, or lost with a
   * receiver that may have read from it. One that is not may go to another.
   */
  take(connection: Socket): Promise<boolean>;
};

/**
 * Hands connections out: each to whom the fewest wait for, and in turn where that is the same. A receiver has one in hand at a
 * time and the others wait here, so that they can still go elsewhere when it ends, leaves, or does not answer.
 */
export type Door = {
  pass(connection: Socket): void;
  /** Takes its turn from now on. */
  admit(receiver: Receiver): void;
  /** Gets nothing more. */
  dismiss(receiver: Receiver): void;
  /** Hands out what waits, for a moment, and closes what is left. */
  close(): Promise<void>;
};

type Lane = {
  receiver: Receiver;
  waiting: Socket[];
  /** While it has one in hand. */
  serving: Promise<void> | undefined;
  isSlow: boolean;
};

/** A process that is stopped or hangs does not answer; one that is busy does. */
const patienceMs = 1_000;
/** Of a process that is told to end within a time. */
const lastPatienceMs = 300;

/** How many are before one that comes now. */
const lengthOf = ({ waiting, serving }: Lane): number => waiting.length + (serving ? 1 : 0);

/** The first of the shortest. */
const shortest = (lanes: readonly Lane[]): Lane | undefined =>
  lanes.toSorted((one, other) => lengthOf(one) - lengthOf(other))[0];

export const createDoor = (): Door => {
  /** Who had one last comes last. */
  const lanes: Lane[] = [];

  const put = (connection: Socket, lane: Lane | undefined): void => {
    if (!lane) {
      connection.destroy(); // nobody serves: the client may ask elsewhere at once
      return;
    }
    lanes.push(...lanes.splice(lanes.indexOf(lane), 1));
    lane.waiting.push(connection);
    lane.serving ??= serve(lane);
  };

  const quick = (): Lane[] => lanes.filter(({ isSlow }) => !isSlow);
  const pass = (connection: Socket): void => put(connection, shortest(quick()) ?? shortest(lanes));

  const serve = async (lane: Lane): Promise<void> => {
    for (let connection = lane.waiting.shift(); connection; connection = lane.waiting.shift()) {
      // Again and again: where all are slow some wait here, until there is one who is not.
      const impatience = setInterval(() => {
        lane.isSlow = true;
        passElsewhere(lane);
      }, patienceMs);
      const isSpent = await lane.receiver.take(connection);
      clearInterval(impatience);
      lane.isSlow = !isSpent;
      if (isSpent) continue;
      setTimeout(() => {
        lane.isSlow = false;
      }, patienceMs).unref();
      passElsewhere(lane);
      put(connection, shortest(quick())); // and to nobody slow, or it might come back for ever
    }
    lane.serving = undefined;
  };

  const passElsewhere = ({ waiting }: Lane): void => {
    for (const connection of waiting.splice(0)) pass(connection);
  };

  return {
    pass,
    admit(receiver) {
      lanes.unshift({ receiver, waiting: [], serving: undefined, isSlow: false });
    },
    dismiss(receiver) {
      const place = lanes.findIndex((lane) => lane.receiver === receiver);
      if (place < 0) return;
      const [lane] = lanes.splice(place, 1);
      if (lane) passElsewhere(lane);
    },
    async close() {
      const late = pause(lastPatienceMs, 'late', { ref: false });
      const busy = () => lanes.flatMap(({ serving }) => serving ?? []);
      for (let all = busy(); all.length > 0; all = busy())
        if ((await Promise.race([Promise.all(all), late])) === 'late') break;
      for (const { waiting } of lanes.splice(0)) for (const connection of waiting.splice(0)) connection.destroy();
    },
  };
};
