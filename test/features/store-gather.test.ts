import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import {
  gather,
  type Issuance,
  issuances,
  openDatabase,
  type Queryable,
  StoreUnavailable,
  uuidv7,
} from '@authserver/store';
import { createDatabase } from '../support/database.ts';

const { dsn, drop } = await createDatabase();
const database = openDatabase({ dsn, maxConnections: 4, applicationName: 'authserver test' });
after(async () => {
  await database.end();
  await drop();
});

const issuance = (overrides: Partial<Issuance> = {}): Issuance => {
  const now = new Date();
  return {
    id: uuidv7(now),
    grantType: 'client_credentials',
    clientId: 'client_x',
    subject: 'client_x',
    subjectUserId: undefined,
    resourceId: undefined,
    resource: 'https://mcp.example.com/mcp',
    scopes: ['tools/read'],
    issuedAt: now,
    expiresAt: new Date(now.getTime() + 60_000),
    familyId: undefined,
    consentGrantId: undefined,
    parentId: undefined,
    dpopJkt: undefined,
    agentId: undefined,
    ...overrides,
  };
};

/** The database, with a count of the statements and of the most that ran at once; `before` may hold or break them. */
const observed = (before: () => Promise<void> = async () => {}) => {
  const seen = { statements: 0, running: 0, most: 0 };
  const db: Queryable = {
    async query(operation, text, values) {
      seen.statements += 1;
      seen.running += 1;
      seen.most = Math.max(seen.most, seen.running);
      try {
        await before();
        return await database.query(operation, text, values);
      } finally {
        seen.running -= 1;
      }
    },
  };
  return { db, seen };
};

type Limits = Parameters<typeof gather>[1];
/** Writes rows the way the server does. */
const writerOn = (db: Queryable, limits?: Limits) =>
  gather(async (rows: readonly Issuance[]) => {
    await issuances(db).insertMany(rows);
    return rows.map(({ id }) => id);
  }, limits);

const stored = (rows: readonly Issuance[]) => Promise.all(rows.map(({ id }) => issuances(database).find(id)));
/** How many of them are there, in one statement: a thousand would wait for connections longer than any may. */
const countStored = async (rows: readonly Issuance[]): Promise<number> => {
  const { rows: found } = await database.query<{ n: number }>(
    'test_count_issuances',
    'select count(*)::int as n from issuances where id = any($1)',
    [rows.map(({ id }) => id)],
  );
  return found[0]?.n ?? 0;
};

test('writes that come together go out in a few statements, two at a time', async () => {
  const { db, seen } = observed();
  const writer = writerOn(db);
  const rows = Array.from({ length: 1000 }, () => issuance());
  await Promise.all(rows.map((row) => writer(row)));
  assert.ok(seen.statements <= 8, `${seen.statements} statements for 1000 rows`);
  assert.equal(seen.most, 2);
  assert.equal(await countStored(rows), 1000);
});

/** A writer whose first statement is in flight until it is let go. */
const besideOne = async (limits: Limits) => {
  const held = Promise.withResolvers<void>();
  let first = true;
  const { db, seen } = observed(async () => {
    if (!first) return;
    first = false;
    await held.promise;
  });
  const writer = writerOn(db, limits);
  const one = writer(issuance());
  await new Promise((resolve) => setImmediate(resolve));
  return {
    seen,
    write: (count: number) => Promise.all(Array.from({ length: count }, () => writer(issuance()))),
    letGo: () => {
      held.resolve();
      return one;
    },
  };
};

test('the few who come while a statement is in flight wait for it, and share the next', async () => {
  const { seen, write, letGo } = await besideOne({ crowd: 10, patienceMs: 60_000 });
  const few = write(5);
  await setTimeout(50);
  const more = write(4);
  await setTimeout(50);
  assert.equal(seen.statements, 1);
  letGo();
  await Promise.all([few, more]);
  assert.equal(seen.statements, 2);
});

test('a crowd does not wait for the statement in flight', async () => {
  const { seen, write, letGo } = await besideOne({ crowd: 10, patienceMs: 60_000 });
  await write(10);
  assert.deepEqual([seen.statements, seen.running], [2, 1]);
  await letGo();
});

test('nobody waits long for the statement in flight', async () => {
  const { seen, write, letGo } = await besideOne({ crowd: 10, patienceMs: 20 });
  await write(2);
  assert.deepEqual([seen.statements, seen.running], [2, 1]);
  await letGo();
});

test('a write resolves only when its row is committed, with all that it says', async () => {
  const writer = writerOn(database);
  const row = issuance({
    scopes: ['tools/read', "with,commas{braces}and'quotes"],
    subject: 'sömeone \\ else €',
    subjectUserId: uuidv7(new Date()),
    resourceId: uuidv7(new Date()),
    familyId: uuidv7(new Date()),
    consentGrantId: uuidv7(new Date()),
    furtherTargets: [
      { resourceId: uuidv7(new Date()), resource: 'https://é.example.com/mcp', consentGrantId: undefined },
    ],
    dpopJkt: 'x'.repeat(30_000),
    agentId: 'agent',
  });
  await writer(row);
  const [found] = await stored([row]);
  assert.deepEqual(
    { ...found, ...row },
    found,
    'what was written is what is there; the rest are columns of the table alone',
  );
  assert.equal(found?.revokedAt, undefined);
});

test('a lone write goes out by itself, at once', async () => {
  const { db, seen } = observed();
  const start = performance.now();
  await writerOn(db)(issuance());
  assert.equal(seen.statements, 1);
  assert.ok(performance.now() - start < 1000);
});

test('a statement that fails rejects every write in it, and the writer goes on', async () => {
  let broken = true;
  const { db } = observed(async () => {
    if (broken) throw new StoreUnavailable('the database is not available');
  });
  const writer = writerOn(db, { queue: 100, batch: 10, inFlight: 1 });
  const rows = Array.from({ length: 10 }, () => issuance());
  const results = await Promise.allSettled(rows.map((row) => writer(row)));
  assert.ok(results.every((result) => result.status === 'rejected' && result.reason instanceof StoreUnavailable));
  assert.ok((await stored(rows)).every((row) => row === undefined));
  broken = false;
  await writer(issuance());
});

test('when the database does not answer, those who wait behind are told at the same time', async () => {
  const held = Promise.withResolvers<void>();
  const { db, seen } = observed(() => held.promise);
  const writer = writerOn(db, { queue: 100, batch: 1, inFlight: 1 });
  const results = Promise.allSettled(Array.from({ length: 5 }, () => writer(issuance())));
  await new Promise((resolve) => setImmediate(resolve)); // the first is in flight, four wait
  held.reject(new StoreUnavailable('the database is not available'));
  assert.ok(
    (await results).every((result) => result.status === 'rejected' && result.reason instanceof StoreUnavailable),
  );
  assert.equal(seen.statements, 1, 'nobody waits for a statement of their own to fail');
});

test('one row the database refuses is refused alone, and the others with it are written', async () => {
  const { db, seen } = observed();
  const writer = writerOn(db);
  const rows = Array.from({ length: 20 }, () => issuance());
  const twice = issuance();
  await writer(twice);
  seen.statements = 0;
  const together = [...rows.slice(0, 13), twice, ...rows.slice(13)];
  const results = await Promise.allSettled(together.map((row) => writer(row)));
  assert.deepEqual(
    results.map(({ status }) => status === 'rejected'),
    together.map((row) => row === twice),
  );
  assert.equal(await countStored(rows), 20);
  assert.ok(seen.statements <= 10, `${seen.statements} statements to find one row of 21`);
});

test('everybody gets the answer to what they asked', async () => {
  const square = gather(async (numbers: readonly number[]) => numbers.map((number) => number * number));
  const numbers = Array.from({ length: 1000 }, (_, index) => index);
  assert.deepEqual(
    await Promise.all(numbers.map(square)),
    numbers.map((number) => number * number),
  );
});

test('a full queue refuses at once, and what waits is still written', async () => {
  const held = Promise.withResolvers<void>();
  const { db } = observed(() => held.promise);
  const writer = writerOn(db, { queue: 3, batch: 1, inFlight: 1 });
  const first = issuance();
  const writes = [writer(first)];
  await new Promise((resolve) => setImmediate(resolve)); // now in flight, no longer in the queue
  const waiting = Array.from({ length: 3 }, () => issuance());
  writes.push(...waiting.map((row) => writer(row)));
  await assert.rejects(Promise.race([writer(issuance()), setTimeout(1000)]), StoreUnavailable);
  held.resolve();
  await Promise.all(writes);
  assert.ok((await stored([first, ...waiting])).every((row) => row !== undefined));
});
