/**
 * A small cache in front of the database, emptied by the change feed.
 *
 * A load that began before a change was announced may end after it, with the old row. Each drop therefore moves the
 * entry's epoch on, and a load only stores what it read in the epoch it began in.
 */
export type Cache<V> = {
  /** The cached value, or a fresh one. Absence is not cached: what is created a moment later must be found. */
  get(key: string): Promise<V | undefined>;
  /** The cached value alone, at once. */
  peek(key: string): V | undefined;
  drop(key: string): void;
  clear(): void;
};

type Entry<V> = { value: V; until: number };

export const createCache = <V>(options: {
  load: (key: string) => Promise<V | undefined>;
  ttlMs: number;
  maxEntries: number;
  /** What is not worth its memory is loaded again each time; by default everything is. */
  isWorthKeeping?: (value: V) => boolean;
}): Cache<V> => {
  const entries = new Map<string, Entry<V>>();
  const loading = new Map<string, Promise<V | undefined>>();
  let epoch = 0;

  const load = async (key: string): Promise<V | undefined> => {
    const begun = epoch;
    const value = await options.load(key);
    if (value !== undefined && begun === epoch && (options.isWorthKeeping?.(value) ?? true)) {
      if (entries.size >= options.maxEntries) entries.delete(entries.keys().next().value as string);
      entries.set(key, { value, until: performance.now() + options.ttlMs });
    }
    return value;
  };

  const peek = (key: string): V | undefined => {
    const entry = entries.get(key);
    return entry && entry.until > performance.now() ? entry.value : undefined;
  };

  return {
    peek,
    async get(key) {
      const held = peek(key);
      if (held !== undefined) return held;
      entries.delete(key);
      const pending = loading.get(key);
      if (pending) return pending;
      const started = load(key).finally(() => {
        if (loading.get(key) === started) loading.delete(key);
      });
      loading.set(key, started);
      return started;
    },
    drop(key) {
      epoch += 1;
      entries.delete(key);
      loading.delete(key);
    },
    clear() {
      epoch += 1;
      entries.clear();
      loading.clear();
    },
  };
};

/**
 * One value that is read as a whole. `peek()` is what is held of it, and nothing where it must be read; `stale()` the last
 * one known, for answers that must survive the database.
 */
export type Snapshot<V> = { get(): Promise<V>; peek(): V | undefined; stale(): Promise<V>; clear(): void };

export const createSnapshot = <V extends object>(load: () => Promise<V>, ttlMs: number): Snapshot<V> => {
  let last: V | undefined;
  const cache = createCache<V>({
    load: async () => {
      last = await load();
      return last;
    },
    ttlMs,
    maxEntries: 1,
  });
  const get = async (): Promise<V> => (await cache.get('')) as V;
  return {
    get,
    peek: () => cache.peek(''),
    stale: () =>
      get().catch((error: unknown) => {
        if (last) return last;
        throw error;
      }),
    clear: cache.clear,
  };
};
