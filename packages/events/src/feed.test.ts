import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { ChannelName } from './catalogue.ts';
import {
  type Change,
  type ChangeChannel,
  type ChangePage,
  createChangeFeed,
  type ReadCause,
  type ReadResult,
} from './feed.ts';
import type { HintOutcome } from './hints.ts';

/** What the table would answer. */
const pageOf = (rows: readonly Change[], version: number, limit: number): ChangePage => ({
  changes: rows.filter((row) => row.version > version).slice(0, limit),
  oldest: rows[0]?.version,
  newest: rows.at(-1)?.version,
  readAt: new Date(),
});

/** A feed over rows and a channel the test commands. */
const startFeed = async (t: TestContext, options: { reconcileIntervalMs?: number; reachable?: boolean } = {}) => {
  const rows: Change[] = [];
  const applied: string[] = [];
  const errors: unknown[] = [];
  const state = { reads: 0, reachable: options.reachable ?? true, beforeAnswer: async () => {} };
  type Handlers = Parameters<ChangeChannel['start']>[0];
  const on: Partial<Record<ChannelName, Handlers>> = {};
  const hints: Partial<Record<HintOutcome, number>> = {};
  const reads: [ReadCause, ReadResult][] = [];
  const resets: string[] = [];
  const answer = async <T>(read: () => T): Promise<T> => {
    state.reads += 1;
    if (!state.reachable) throw new Error('the database is away');
    const result = read();
    await state.beforeAnswer();
    return result;
  };
  const channel = (name: ChannelName): ChangeChannel => ({
    name,
    start(handlers) {
      on[name] = handlers;
    },
    stop: async () => {},
  });
  const feed = createChangeFeed({
    source: {
      latestVersion: () => answer(() => rows.at(-1)?.version ?? 0),
      since: (version, limit) => answer(() => pageOf(rows, version, limit)),
    },
    channels: [channel('notify'), channel('nats')],
    reconcileIntervalMs: options.reconcileIntervalMs ?? 60_000,
    onError: (error) => errors.push(error),
    onHint(_channel, outcome) {
      hints[outcome] = (hints[outcome] ?? 0) + 1;
    },
    onRead: (cause, result) => reads.push([cause, result]),
    onReset: (reason) => resets.push(reason),
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
    hints,
    reads,
    resets,
    rows,
    commit(version: number, key = `c${version}`, kind = 'client') {
      rows.push({ version, kind, key, at: new Date() });
      return JSON.stringify({ version, kind, key });
    },
    message: (payload: string | Uint8Array, subjectKind?: string) => on.notify?.message(payload, subjectKind),
    overNats: (payload: string | Uint8Array, subjectKind = 'client') => on.nats?.message(payload, subjectKind),
    connected: () => on.notify?.connected(),
    lost: () => on.notify?.lost(),
    settled: () => setTimeout(30),
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
  const answer = Promise.withResolvers<void>();
  feed.state.beforeAnswer = async () => {
    running += 1;
    most = Math.max(most, running);
    await answer.promise;
    running -= 1;
  };
  feed.message(feed.commit(1)); // the read has its rows already, but not returned them
  for (const version of [2, 3, 4]) feed.message(feed.commit(version));
  await feed.settled();
  answer.resolve();
  await feed.settled();
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
    since: async () => pageOf([{ version: 7, kind: 'client', key: 'c7', at: new Date() }], 7, 500),
  };
  let connected = () => {};
  const channel: ChangeChannel = {
    name: 'notify',
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

test('a flood of forged hints costs a few reads, and the other channel is believed as before', async (t) => {
  const feed = await startFeed(t);
  const forged = (version: number) => JSON.stringify({ version, kind: 'client', key: 'forged' });
  for (let n = 0; n < 300; n += 1) {
    for (let m = 0; m < 20; m += 1) feed.overNats(forged(Number.MAX_SAFE_INTEGER - n * 20 - m));
    if (n % 10 === 0) await setTimeout(1);
  }
  await setTimeout(20);
  assert.ok(feed.state.reads < 12, `${feed.state.reads} reads for 6000 hints`);
  feed.message(feed.commit(1));
  await feed.settled();
  assert.deepEqual(feed.applied, ['c1'], 'a true hint over the other channel is acted on at once');
  feed.overNats(feed.commit(2));
  await setTimeout(700);
  assert.deepEqual(feed.applied, ['c1', 'c2'], 'and one over the same channel half a second later at most');
  const { true: honest = 0, false: lies = 0, excess = 0, known = 0 } = feed.hints;
  assert.equal(lies + excess, 6000);
  assert.equal(honest + known, 2);
});

test('after an honest hint a channel is believed at once again', async (t) => {
  const feed = await startFeed(t);
  for (let n = 0; n < 6; n += 1) {
    feed.overNats(JSON.stringify({ version: 1000 + n, kind: 'client', key: 'forged' }));
    await setTimeout(2 ** n * 5);
  }
  feed.overNats(feed.commit(1));
  await setTimeout(600);
  feed.overNats(feed.commit(2));
  await feed.settled();
  assert.deepEqual(feed.applied, ['c1', 'c2']);
});

test('what a channel may not say is counted by its reason and read for nothing', async (t) => {
  const feed = await startFeed(t);
  const said = (kind: string) => JSON.stringify({ version: 1, kind, key: 'x' });
  feed.overNats(said('resource'), 'client');
  feed.overNats(said('client'), '*');
  feed.overNats(said('client'), '>');
  feed.overNats(said('config'), 'config');
  feed.overNats(said('__proto__'), '__proto__');
  feed.overNats(Buffer.alloc(10 * 1024 * 1024, '{'));
  feed.overNats(Buffer.from([0xff, 0xfe, 0x00]));
  feed.overNats('', 'client');
  await feed.settled();
  assert.deepEqual(feed.hints, { wrong_subject: 3, unknown_kind: 2, oversized: 1, malformed: 2 });
  assert.equal(feed.state.reads, 0);
});

test('changes that were pruned before they were read empty the caches', async (t) => {
  const feed = await startFeed(t);
  let forgotten = 0;
  feed.feed.onReset(() => {
    forgotten += 1;
  });
  feed.message(feed.commit(1));
  await feed.settled();
  assert.equal(forgotten, 0);
  feed.rows.splice(0);
  feed.message(feed.commit(9)); // 2 to 8 came and went
  await feed.settled();
  assert.deepEqual([feed.resets, forgotten], [['pruned'], 1]);
  feed.message(feed.commit(11)); // 10 was rolled back: the rows reach back far enough
  await feed.settled();
  assert.deepEqual(feed.resets, ['pruned']);
  assert.deepEqual(feed.applied, ['c1', 'c9', 'c11']);
});

test('a database that went back is followed from where it is now', async (t) => {
  const feed = await startFeed(t);
  for (const version of [1, 2, 3]) feed.message(feed.commit(version));
  await feed.settled();
  feed.rows.pop(); // a standby without the last change has taken over
  feed.connected();
  await feed.settled();
  assert.deepEqual(feed.resets, ['went_back']);
  feed.message(feed.commit(3, 'another third'));
  await feed.settled();
  assert.deepEqual(feed.applied, ['c1', 'c2', 'c3', 'another third']);
});

test('a subscriber that takes its time does not keep other changes waiting', async (t) => {
  const feed = await startFeed(t);
  const slow = Promise.withResolvers<void>();
  feed.feed.subscribe('signing_key', () => slow.promise);
  feed.commit(1, 'k1', 'signing_key');
  feed.message(feed.commit(2));
  await feed.settled();
  assert.deepEqual(feed.applied, ['c2']);
  slow.resolve();
});

test('a flood while the database is away is not a flood of reads', async (t) => {
  const feed = await startFeed(t);
  feed.state.reachable = false;
  for (let n = 1; n <= 50; n += 1) {
    feed.message(JSON.stringify({ version: n, kind: 'client', key: 'c' }));
    await setTimeout(1);
  }
  assert.ok(feed.state.reads < 8, `${feed.state.reads} reads`);
});

test('the status says what works', async (t) => {
  const feed = await startFeed(t);
  assert.deepEqual(
    { ...feed.feed.status(), secondsSinceRead: 0 },
    { reading: true, version: 0, secondsSinceRead: 0, channels: { notify: 'down', nats: 'down' } },
  );
  feed.connected();
  await feed.settled();
  assert.equal(feed.feed.status().channels.notify, 'up');
  feed.state.reachable = false;
  feed.feed.committed();
  feed.lost();
  await feed.settled();
  assert.equal(feed.feed.status().reading, false);
  assert.equal(feed.feed.status().channels.notify, 'down');
  feed.state.reachable = true;
  feed.message(feed.commit(1));
  feed.connected();
  await feed.settled();
  assert.deepEqual([feed.feed.status().reading, feed.feed.status().version], [true, 1]);
});
