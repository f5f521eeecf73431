import { ChangeMessage } from './catalogue.ts';

/** A change as the database has it. */
export type Change = { version: number; kind: string; key: string; at: Date };

/** Where changes are read from; the channels only say when. */
export type ChangeSource = {
  latestVersion(): Promise<number>;
  since(version: number, limit: number): Promise<Change[]>;
};

/** Something that tells us sooner than the interval would. */
export type ChangeChannel = {
  start(on: { message: (payload: string) => void; connected: () => void }): void;
  stop(): Promise<void>;
};

export type ChangeFeedOptions = {
  source: ChangeSource;
  channels: readonly ChangeChannel[];
  reconcileIntervalMs: number;
  onError: (error: unknown) => void;
  /** Seconds from the commit of a change to its application here. */
  onApplied?: (kind: string, seconds: number) => void;
};

export type ChangeFeed = {
  subscribe(kind: string, apply: (key: string) => void | Promise<void>): void;
  /** Called when the feed finds its place late: whatever was cached until then may have missed a change. */
  onReset(reset: () => void | Promise<void>): void;
  /** Reads where the feed stands, then follows it. Caches must be empty at this moment. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

const pageSize = 500;

/**
 * Follows what the control plane changes.
 *
 * A message is a hint: it makes us read the rows after the last version we applied, in order, each once. So a lost,
 * doubled, reordered or forged message costs at most a read or one reconcile interval. One read runs at a time; hints
 * that arrive meanwhile cause one more.
 */
export const createChangeFeed = (options: ChangeFeedOptions): ChangeFeed => {
  const subscribers = new Map<string, ((key: string) => void | Promise<void>)[]>();
  const resets: (() => void | Promise<void>)[] = [];
  let lastVersion: number | undefined;
  let reading: Promise<void> | undefined;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  const apply = async (change: Change): Promise<void> => {
    for (const subscriber of subscribers.get(change.kind) ?? []) {
      try {
        await subscriber(change.key);
      } catch (error) {
        options.onError(error); // its own trouble; the changes after it concern others
      }
    }
    options.onApplied?.(change.kind, Math.max(0, (Date.now() - change.at.getTime()) / 1000));
  };

  const read = async (): Promise<void> => {
    do {
      again = false;
      if (lastVersion === undefined) {
        // The database was away when we started. It may have come back, and been read from, before this moment.
        lastVersion = await options.source.latestVersion();
        for (const reset of resets) await reset();
      }
      for (;;) {
        const page = await options.source.since(lastVersion, pageSize);
        for (const change of page) {
          await apply(change);
          lastVersion = change.version;
        }
        if (page.length < pageSize) break;
      }
    } while (again);
  };

  const catchUp = (): void => {
    if (reading) {
      again = true;
      return;
    }
    reading = read()
      .catch(options.onError)
      .finally(() => {
        reading = undefined;
      });
  };

  const onMessage = (payload: string): void => {
    const message = parseMessage(payload);
    if (message && message.version > (lastVersion ?? 0)) catchUp();
  };

  return {
    subscribe(kind, apply) {
      subscribers.set(kind, [...(subscribers.get(kind) ?? []), apply]);
    },
    onReset(reset) {
      resets.push(reset);
    },
    async start() {
      lastVersion = await options.source.latestVersion().catch((error: unknown) => {
        options.onError(error);
        return undefined;
      });
      for (const channel of options.channels) channel.start({ message: onMessage, connected: catchUp });
      timer = setInterval(catchUp, options.reconcileIntervalMs);
      timer.unref();
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(options.channels.map((channel) => channel.stop()));
      await reading;
    },
  };
};

const parseMessage = (payload: string): ChangeMessage | undefined => {
  try {
    return ChangeMessage.safeParse(JSON.parse(payload)).data;
  } catch {
    return undefined;
  }
};
