/**
 * Follows what the control plane changes, and what other processes change.
 *
 * A message is a hint: it makes us read the rows after the last version we applied, in order, each once. So a lost,
 * doubled, reordered or forged message costs at most a read or one reconcile interval. One read runs at a time; hints
 * that arrive meanwhile cause one more. The last version comes from the database alone, never from a message.
 *
 * The channels are `notify.ts` and `nats.ts`; `hints.ts` decides what a message is worth, and `relay.ts` is who publishes.
 */
import type { ChannelName } from './catalogue.ts';
import { createHintQueue, type HintOutcome, readHint } from './hints.ts';

/** A change as the database has it. */
export type Change = { version: number; kind: string; key: string; at: Date };

/** What one read of the changes says. */
export type ChangePage = {
  changes: Change[];
  /** The oldest and the newest version that is there; undefined when there is none at all. */
  oldest: number | undefined;
  newest: number | undefined;
  /** What the database's clock said: a change was made by that clock, and ours may differ. */
  readAt: Date;
};

/** Where changes are read from; the channels only say when. */
export type ChangeSource = {
  /** The newest version, 0 when there is none. */
  latestVersion(): Promise<number>;
  since(version: number, limit: number): Promise<ChangePage>;
};

/** Something that tells us sooner than the interval would. */
export type ChangeChannel = {
  name: ChannelName;
  start(on: {
    /** `subjectKind` is the kind that the envelope names, where there is an envelope. */
    message: (payload: string | Uint8Array, subjectKind?: string) => void;
    /** It hears from here on; what was announced before may have been missed. */
    connected: () => void;
    lost: () => void;
  }): void;
  stop(): Promise<void>;
};

export const readCauses = ['start', 'channel', 'interval', 'hint', 'commit'] as const;
export type ReadCause = (typeof readCauses)[number];
export const readResults = ['changes', 'nothing', 'failed'] as const;
export type ReadResult = (typeof readResults)[number];
export const resetReasons = ['late_start', 'pruned', 'went_back'] as const;
export type ResetReason = (typeof resetReasons)[number];

/** What a feed tells about itself, for metrics and logs. */
export type FeedWatcher = {
  onError(error: unknown): void;
  /** Seconds from the commit of a change to its application here. */
  onApplied?(kind: string, seconds: number): void;
  onHint?(channel: ChannelName, outcome: HintOutcome): void;
  /** `seconds` is how long the read took. */
  onRead?(cause: ReadCause, result: ReadResult, version: number, seconds: number): void;
  onReset?(reason: ResetReason): void;
  onChannel?(channel: ChannelName, up: boolean): void;
};

export type ChangeFeedOptions = FeedWatcher & {
  source: ChangeSource;
  channels: readonly ChangeChannel[];
  reconcileIntervalMs: number;
};

export type FeedStatus = {
  /** Whether the last read succeeded. While reads fail, caches may be older than they should. */
  reading: boolean;
  /** The last version applied here; undefined until the database was read for the first time. */
  version: number | undefined;
  /** Since the last read that succeeded, or since the start. */
  secondsSinceRead: number;
  /** Which channels would tell of a change at once. */
  channels: Partial<Record<ChannelName, 'up' | 'down'>>;
};

export type ChangeFeed = {
  subscribe(kind: string, apply: (key: string) => void | Promise<void>): void;
  /** Called when the feed may have missed a change: whatever was cached until then must go. */
  onReset(reset: () => void | Promise<void>): void;
  /** Reads where the feed stands, then follows it. Caches must be empty at this moment. */
  start(): Promise<void>;
  /** Something was committed in this very process: no need to wait for a channel. */
  committed(): void;
  status(): FeedStatus;
  stop(): Promise<void>;
};

const pageSize = 500;

export const createChangeFeed = (options: ChangeFeedOptions): ChangeFeed => {
  const { source, channels } = options;
  const subscribers = new Map<string, ((key: string) => void | Promise<void>)[]>();
  const resets: (() => void | Promise<void>)[] = [];
  const queues = channels.map(({ name }) => createHintQueue((outcome) => options.onHint?.(name, outcome)));
  const up = new Set<ChannelName>();
  let applied: number | undefined;
  let lastReadAt = performance.now();
  let failing = false;
  /** A read that somebody other than a hint asked for. */
  let asked: ReadCause | undefined;
  let reading: Promise<void> | undefined;
  const applying = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let pause: NodeJS.Timeout | undefined;
  let stopped = false;

  const reset = async (reason: ResetReason): Promise<void> => {
    options.onReset?.(reason);
    await Promise.all(resets.map((forget) => attempt(forget)));
  };

  /** The trouble of a subscriber is its own: neither the others nor the changes after it are kept waiting. */
  const attempt = async (work: () => void | Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      options.onError(error);
    }
  };

  /** A cache entry is gone when this returns; what takes longer, such as reading keys again, goes on beside the feed. */
  const apply = (change: Change, waitedMs: () => number): void => {
    const work = Promise.all((subscribers.get(change.kind) ?? []).map((apply) => attempt(() => apply(change.key))))
      .then(() => options.onApplied?.(change.kind, Math.max(0, waitedMs()) / 1000))
      .finally(() => applying.delete(work));
    applying.add(work);
  };

  /** Applies everything after the last version. Returns how many changes there were. */
  const catchUp = async (): Promise<number> => {
    if (applied === undefined) {
      // The database was away when we started. It may have come back, and been read from, before this moment.
      applied = await source.latestVersion();
      await reset('late_start');
    }
    for (let found = 0; ; ) {
      const page = await source.since(applied, pageSize);
      const receivedAt = performance.now();
      const missed = whatWasMissed(applied, page);
      if (missed) {
        await reset(missed);
        applied = missed === 'went_back' ? (page.newest ?? 0) : applied;
      }
      for (const change of page.changes) {
        const age = page.readAt.getTime() - change.at.getTime();
        apply(change, () => age + performance.now() - receivedAt);
        applied = change.version;
      }
      found += page.changes.length;
      if (page.changes.length < pageSize) return found;
    }
  };

  const readOnce = async (cause: ReadCause): Promise<void> => {
    const tell = queues.map((queue) => queue.take());
    const begunAt = performance.now();
    let result: ReadResult;
    try {
      result = (await catchUp()) > 0 ? 'changes' : 'nothing';
      lastReadAt = performance.now();
      failing = false;
    } catch (error) {
      result = 'failed';
      failing = true;
      options.onError(error);
    }
    for (const told of tell) told(result === 'failed' ? undefined : applied, performance.now());
    options.onRead?.(cause, result, applied ?? 0, (performance.now() - begunAt) / 1000);
  };

  /** Reads as long as there is a reason to, now or when the first channel may be believed again. */
  const proceed = (): void => {
    if (reading || stopped) return;
    const due = queues.map((queue) => queue.due(applied ?? 0)).filter((at) => at !== undefined);
    const waitMs = Math.min(...due) - performance.now();
    if (asked === undefined && waitMs > 0) {
      clearTimeout(pause);
      if (waitMs !== Number.POSITIVE_INFINITY) pause = setTimeout(proceed, waitMs).unref();
      return;
    }
    const cause = asked ?? 'hint';
    asked = undefined;
    reading = readOnce(cause).finally(() => {
      reading = undefined;
      proceed();
    });
  };

  const read = (cause: ReadCause): void => {
    asked ??= cause;
    proceed();
  };

  const follow = (channel: ChangeChannel, index: number): void => {
    const { name } = channel;
    options.onChannel?.(name, false);
    channel.start({
      message(payload, subjectKind) {
        const hint = readHint(payload, subjectKind);
        if (typeof hint === 'string') options.onHint?.(name, hint);
        else if (hint.version <= (applied ?? 0)) options.onHint?.(name, 'known');
        else {
          queues[index]?.add(hint.version);
          proceed();
        }
      },
      connected() {
        up.add(name);
        options.onChannel?.(name, true);
        read('channel');
      },
      lost() {
        if (up.delete(name)) options.onChannel?.(name, false);
      },
    });
  };

  return {
    subscribe(kind, apply) {
      subscribers.set(kind, [...(subscribers.get(kind) ?? []), apply]);
    },
    onReset(reset) {
      resets.push(reset);
    },
    async start() {
      const begunAt = performance.now();
      const seconds = () => (performance.now() - begunAt) / 1000;
      try {
        applied = await source.latestVersion();
        lastReadAt = performance.now();
        options.onRead?.('start', 'nothing', applied, seconds());
      } catch (error) {
        failing = true;
        options.onError(error);
        options.onRead?.('start', 'failed', 0, seconds());
      }
      channels.forEach(follow);
      timer = setInterval(() => read('interval'), options.reconcileIntervalMs);
      timer.unref();
    },
    committed: () => read('commit'),
    status: () => ({
      reading: !failing,
      version: applied,
      secondsSinceRead: (performance.now() - lastReadAt) / 1000,
      channels: Object.fromEntries(channels.map(({ name }) => [name, up.has(name) ? 'up' : 'down'])),
    }),
    async stop() {
      stopped = true;
      clearInterval(timer);
      clearTimeout(pause);
      await Promise.all(channels.map((channel) => channel.stop()));
      await reading;
      await Promise.all(applying);
    },
  };
};

/**
 * Why the rows after `applied` may not be all that happened since. The newest row is never pruned, so a table that ends
 * before `applied` is an older one: a standby that had not received everything, or a restored backup.
 */
const whatWasMissed = (applied: number, { oldest, newest }: ChangePage): ResetReason | undefined => {
  if ((newest ?? 0) < applied) return 'went_back';
  return applied > 0 && (oldest ?? 0) > applied + 1 ? 'pruned' : undefined;
};
