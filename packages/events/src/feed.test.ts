import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Change, type ChangeChannel, createChangeFeed } from './feed.ts';

/** A feed over rows and a channel the test commands. */
const startFeed = async (t: TestContext, options: { reconcileIntervalMs?: number; reachable?: boolean } = {}) => {
  const rows: Change[] = [];
  const applied: string[] = [];
  const errors: unknown[] = [];
  const state = { reads: 0, reachable: options.reachable ?? true, beforeAnswer: async () => {} };
  const on: { message?: (payload: string) => void; connected?: () => void } = {};
  const answer = async <T>(read: () => T): Promise<T> => {
    state.reads += 1;
    if (!state.reachable) throw new Error('the database is away');
    const result = read();
    await state.beforeAnswer();
    return result;
  };
  const channel: ChangeChannel = { start: (handlers) => void Object.assign(on, handlers), stop: async () => {} };
  const feed = createChangeFeed({
    source: {
      latestVersion: () => answer(() => rows.at(-1)?.version ?? 0),
      since: (version, limit) => answer(() => rows.filter((row) => row.version > version).slice(0, limit)),
    },
    channels: [channel],
    reconcileIntervalMs: options.reconcileIntervalMs ?? 60_000,
    onError: (error) => errors.push(error),
  });
  feed.subscribe('client', (key) => void applied.push(key));
  await feed.start();
  state.reads = 0;
  t.after(() => feed.stop());
  return {
    feed,
    applied,
    errors,
    state,
    commit(version: number, key = `c${version}`, kind = 'client') {
      rows.push({ version, kind, key, at: new Date() });
      return JSON.stringify({ version, kind, key });
    },
    message: (payload: string) => on.message?.(payload),
    connected: () => on.connected?.(),
    settled: () => setTimeout(10),
  };
};

test('a message makes the feed read and apply what it announces', async (t) => {
  const feed = await startFeed(t);
  feed.message(feed.commit(1));
  await feed.settled();
  assert.deepEqual(feed.applied, ['c1']);
});

test('doubled, late and reordered messages apply every change once, in the order of the versions', async (t) => {
  const feed = await startFeed(t);
  const [first, second, third] = [feed.commit(1), feed.commit(2), feed.commit(3)];
  for (const payload of [third, first, third, second, first]) feed.message(payload);
  await feed.settled();
  assert.deepEqual(feed.applied, ['c1', 'c2', 'c3']);
  const { reads } = feed.state;
  for (const payload of [first, second, third]) feed.message(payload);
  await feed.settled();
  assert.equal(feed.state.reads, reads, 'what is known already is not even read again');
});

test('a lost message is made good by the next one', async (t) => {
  const feed = await startFeed(t);
  feed.commit(1);
  feed.message(feed.commit(2));
  await feed.settled();
  assert.deepEqual(feed.applied, ['c1', 'c2']);
});

test('without any message the interval finds the change', async (t) => {
  const feed = await startFeed(t, { reconcileIntervalMs: 20 });
  feed.commit(1);
  await setTimeout(80);
  assert.deepEqual(feed.applied, ['c1']);
});

test('a channel that was gone and came back causes a read', async (t) => {
  const feed = await startFeed(t);
  feed.commit(1);
  feed.connected();
  await feed.settled();
  assert.deepEqual(feed.applied, ['c1']);
});

test('a forged message costs a read, and changes nothing', async (t) => {
  const feed = await startFeed(t);
  feed.message(JSON.stringify({ version: 999_999, kind: 'client', key: 'forged' }));
  await feed.settled();
  assert.equal(feed.state.reads, 1);
  assert.deepEqual(feed.applied, []);
  feed.message(feed.commit(1));
  await feed.settled();
  assert.deepEqual(feed.applied, ['c1'], 'and the real change after it is still seen');
});

test('what is no message at all is ignored', async (t) => {
  const feed = await startFeed(t);
  for (const payload of [
    '',
    '{',
    'null',
    '[]',
    '"1"',
    '{}',
    '{"version":"1","kind":"client","key":"a"}',
    '{"version":-1,"kind":"client","key":"a"}',
    '{"version":1.5,"kind":"client","key":"a"}',
    '{"version":1,"kind":"client"}',
    JSON.stringify({ version: 1, kind: 'client', key: 'k'.repeat(513) }),
  ])
    feed.message(payload);
  await feed.settled();
  assert.equal(feed.state.reads, 0);
  assert.deepEqual(feed.errors, []);
});

test('changes of a kind nobody subscribed to are passed over', async (t) => {
  const feed = await startFeed(t);
  feed.commit(1, 'x', 'a_kind_of_a_newer_release');
  feed.message(feed.commit(2));
  await feed.settled();
  assert.deepEqual(feed.applied, ['c2']);
});

test('more changes than fit one page are all applied', async (t) => {
  const feed = await startFeed(t);
  for (let version = 1; version <= 1200; version += 1) feed.commit(version);
  feed.connected();
  await feed.settled();
  assert.equal(feed.applied.length, 1200);
  assert.equal(feed.state.reads, 3);
});

test('one read runs at a time, and what was committed during it is read after it', async (t) => {
  const feed = await startFeed(t);
  let running = 0;
  let most = 0;
  feed.state.beforeAnswer = async () => {
    running += 1;
    most = Math.max(most, running);
    await setTimeout(10);
    running -= 1;
  };
  feed.message(feed.commit(1));
  await setTimeout(2); // the first read has its rows
  for (const version of [2, 3, 4]) feed.message(feed.commit(version));
  await setTimeout(60);
  assert.equal(most, 1);
  assert.deepEqual(feed.applied, ['c1', 'c2', 'c3', 'c4']);
  assert.equal(feed.state.reads, 2, 'three hints cause one more read');
});

test('a read that fails is reported, and the next one starts where it stopped', async (t) => {
  const feed = await startFeed(t);
  feed.state.reachable = false;
  feed.message(feed.commit(1));
  await feed.settled();
  assert.equal(feed.errors.length, 1);
  feed.state.reachable = true;
  feed.connected();
  await feed.settled();
  assert.deepEqual(feed.applied, ['c1']);
});

test('a subscriber that fails is reported, and keeps nobody else from the change or from those after it', async (t) => {
  const feed = await startFeed(t);
  feed.feed.subscribe('signing_key', async () => {
    throw new Error('cannot read the keys');
  });
  feed.feed.subscribe('signing_key', (key) => void feed.applied.push(key));
  feed.commit(1, 'k1', 'signing_key');
  feed.message(feed.commit(2));
  await feed.settled();
  assert.deepEqual(feed.applied, ['k1', 'c2']);
  assert.deepEqual(feed.errors.map(String), ['Error: cannot read the keys']);
});

test('a feed that starts while the database is away follows it from its return', async (t) => {
  const feed = await startFeed(t, { reachable: false });
  assert.equal(feed.errors.length, 1);
  feed.state.reachable = true;
  feed.commit(1, 'before');
  feed.connected();
  await feed.settled();
  feed.message(feed.commit(2, 'after'));
  await feed.settled();
  assert.deepEqual(feed.applied, ['after'], 'it starts at the first version it could read');
});

test('stopping waits for the read that runs', async (t) => {
  const feed = await startFeed(t);
  feed.state.beforeAnswer = () => setTimeout(20);
  feed.message(feed.commit(1));
  await feed.feed.stop();
  assert.deepEqual(feed.applied, ['c1']);
});

test('a feed that finds its place late resets what was cached before', async () => {
  let available = false;
  const source = {
    latestVersion: async () => {
      if (!available) throw new Error('away');
      return 7;
    },
    since: async () => [],
  };
  let connected = () => {};
  const channel = {
    start: (on: { connected: () => void }) => {
      connected = on.connected;
    },
    stop: async () => {},
  };
  const feed = createChangeFeed({ source, channels: [channel], reconcileIntervalMs: 60_000, onError: () => {} });
  let resets = 0;
  feed.onReset(() => {
    resets += 1;
  });
  await feed.start();
  available = true;
  connected();
  await setTimeout(20);
  connected();
  await setTimeout(20);
  await feed.stop();
  assert.equal(resets, 1);
});
