import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStore, openDatabase, readMigrations, verifyAuditChain } from '@authserver/store';
import pg from 'pg';
import { startAuthServer } from '../support/auth-server.ts';
import { createEmptyDatabase } from '../support/database.ts';

type Day = Awaited<ReturnType<typeof verify>>[number];

const server = await startAuthServer({ admin: true });
const dayMs = 86_400_000;
const started = Date.now();
const dayOf = (daysAgo: number) => new Date(started - daysAgo * dayMs).toISOString().slice(0, 10);
const today = dayOf(0);

const verify = async (query: Record<string, string> = {}) => {
  const days = [];
  for await (const day of await server.admin.audit.verify({ query })) days.push(day);
  return days;
};
const dayIn = (days: readonly Day[], day: string): Day => {
  const found = days.find((each) => each.day === day);
  assert.ok(found, `no ${day} in ${JSON.stringify(days)}`);
  return found;
};
const verifyDay = async (day: string) => dayIn(await verify(), day);

/** Events of a day in the past, all in one transaction, as if written then. */
const eventsOf = (daysAgo: number, count: number) =>
  server.store.transaction(async (tx) => {
    for (let n = 0; n < count; n += 1)
      await tx.auditEvents.insert({
        action: 'client.updated',
        actorId: 'someone',
        details: { n, name: 'quoted "name", \\ and \u2028 and \u001f and ü' },
        at: new Date(Date.parse(`${dayOf(daysAgo)}T10:00:00.000Z`) + n),
      });
  });

/** Changes rows as somebody who may do everything in the database, and puts everything back. */
const tampered = async (statements: readonly string[], look: () => Promise<void>) => {
  for (const table of ['audit_events', 'audit_chain', 'audit_days'])
    await server.sql(`create table ${table}_kept as select * from ${table}`);
  await server.sql('alter table audit_events disable trigger audit_events_are_chained');
  try {
    for (const statement of statements) await server.sql(statement.replaceAll('$today', `'${today}'::date`));
    await look();
  } finally {
    for (const table of ['audit_events', 'audit_chain', 'audit_days']) {
      await server.sql(`delete from ${table}`);
      await server.sql(`insert into ${table} select * from ${table}_kept`);
      await server.sql(`drop table ${table}_kept`);
    }
    await server.sql('alter table audit_events enable trigger audit_events_are_chained');
  }
};

await eventsOf(1, 2);
await eventsOf(0, 5);

test('every audit event has its place in the chain of its day, whatever wrote it', async () => {
  const { client_id: id } = await server.admin.client.create({
    body: { client_name: 'App', redirect_uris: ['https://app.example.com/cb'] },
  });
  await server.admin.client.suspend({ id });
  const { uri: resource } = await server.resource();
  await (await server.client()).authorize({ user: await server.user(), resource, scope: 'tools/read' });
  const [counts] = await server.sql<{ events: string; chained: string }>(
    `select (select count(*) from audit_events) as events,
            (select count(*) from audit_events e join audit_chain c on c.event_id = e.id
              and c.day = (e.at at time zone 'UTC')::date) as chained`,
  );
  assert.ok(Number(counts?.events) >= 11, JSON.stringify(counts));
  assert.equal(counts?.chained, counts?.events);
  for (const { day, status, problem, events, forgotten } of await verify()) {
    assert.equal(status, 'ok', `${day} ${JSON.stringify(problem)}`);
    assert.ok(events > 0);
    assert.equal(forgotten, 0);
  }
});

test('an event that is rolled back leaves no gap', async () => {
  const { events } = await verifyDay(today);
  await assert.rejects(
    server.store.transaction(async (tx) => {
      await tx.auditEvents.insert({ action: 'client.updated', at: new Date() });
      throw new Error('undone');
    }),
    /undone/,
  );
  await eventsOf(0, 1);
  const after = await verifyDay(today);
  assert.deepEqual([after.status, after.events], ['ok', events + 1]);
});

test('many transactions at once, of one event and of several, make one chain and no deadlock', async () => {
  const { events } = await verifyDay(today);
  await Promise.all(
    Array.from({ length: 60 }, (_, n) =>
      n % 3 === 0
        ? eventsOf(0, 3)
        : server.store.transaction(async (tx) => {
            await tx.changes.record('client', `none-${n}`);
            await tx.auditEvents.insert({ action: 'client.updated', at: new Date() });
          }),
    ),
  );
  const after = await verifyDay(today);
  assert.deepEqual([after.status, after.events], ['ok', events + 20 * 3 + 40]);
});

test('events reach the chain through partitions that are made later', async () => {
  const far = new Date(Date.UTC(new Date().getUTCFullYear() + 3, 5, 15));
  await server.sql(`select ensure_partitions('audit_events', $1, 1), ensure_audit_chain($1, 1)`, [far]);
  await server.store.auditEvents.insert({ action: 'client.updated', at: far });
  const day = far.toISOString().slice(0, 10);
  const [place] = await server.sql(
    `select c.position, e.tableoid::regclass::text as events, c.tableoid::regclass::text as chain
       from audit_chain c join audit_events e on e.id = c.event_id where c.day = $1`,
    [day],
  );
  const month = day.slice(0, 7).replace('-', '_');
  assert.deepEqual(place, { position: '1', events: `audit_events_${month}`, chain: `audit_chain_${month}` });
  assert.equal(dayIn(await verify({ until: day }), day).status, 'ok');
});

test('links that came while their month was missing move with it', async () => {
  const late = new Date(Date.UTC(new Date().getUTCFullYear() + 4, 1, 3));
  await server.store.auditEvents.insert({ action: 'client.updated', at: late });
  await server.sql(`select ensure_partitions('audit_events', $1, 1), ensure_audit_chain($1, 1)`, [late]);
  const day = late.toISOString().slice(0, 10);
  assert.equal(dayIn(await verify({ until: day }), day).status, 'ok');
});

const middle = `(select event_id from audit_chain where day = $today and position = 3)`;
const cases: [what: string, statements: string[], problem: Record<string, unknown>][] = [
  [
    'a changed detail',
    [`update audit_events set details = details || '{"n": 99}' where id = ${middle}`],
    { kind: 'changed', position: 3 },
  ],
  ['another actor', [`update audit_events set actor_id = null where id = ${middle}`], { kind: 'changed', position: 3 }],
  [
    'a time moved by a microsecond',
    [`update audit_events set at = at + interval '1 microsecond' where id = ${middle}`],
    { kind: 'changed', position: 3 },
  ],
  ['a deleted event', [`delete from audit_events where id = ${middle}`], { kind: 'event_missing', position: 3 }],
  [
    'a deleted event with its link',
    [`delete from audit_events where id = ${middle}`, 'delete from audit_chain where day = $today and position = 3'],
    { kind: 'chain_broken', position: 3 },
  ],
  [
    'a deleted event with its link, and those behind it moved up',
    [
      `delete from audit_events where id = ${middle}`,
      'delete from audit_chain where day = $today and position = 3',
      'update audit_chain set position = position - 1000000 where day = $today and position > 3',
      'update audit_chain set position = position + 999999 where day = $today and position < 0',
      'update audit_days set events = events - 1 where day = $today',
    ],
    { kind: 'changed', position: 3 },
  ],
  [
    'a missing link',
    ['delete from audit_chain where day = $today and position = 2'],
    { kind: 'chain_broken', position: 2 },
  ],
  [
    'links that changed places',
    [
      'update audit_chain set position = -position where day = $today and position in (2, 3)',
      'update audit_chain set position = 5 + position where day = $today and position < 0',
    ],
    { kind: 'changed', position: 2 },
  ],
  [
    'a link with another hash',
    [`update audit_chain set hash = sha256('x') where day = $today and position = 4`],
    { kind: 'changed', position: 4 },
  ],
  [
    'the last events gone, with their links',
    [
      `delete from audit_events where id in (
         select event_id from audit_chain where day = $today and position > 4)`,
      'delete from audit_chain where day = $today and position > 4',
    ],
    { kind: 'chain_broken', position: 5 },
  ],
  [
    'a head that counts less than there is',
    [
      `update audit_days set events = 4, head = (select hash from audit_chain where day = $today and position = 4)
       where day = $today`,
    ],
    { kind: 'chain_broken', position: 5 },
  ],
  ['a changed head', [`update audit_days set head = sha256('x') where day = $today`], { kind: 'chain_broken' }],
  [
    'an event beside the chain',
    [
      `insert into audit_events (id, at, action) values
         (overlay(uuidv7_floor(now())::text placing '7000-8000' from 15 for 9)::uuid, now(), 'user.login')`,
    ],
    { kind: 'event_added' },
  ],
  [
    'a day that does not start from the one before',
    [`update audit_days set previous_events = 1 where day = $today`],
    { kind: 'chain_broken' },
  ],
  ['a chain without a row of its day', ['delete from audit_days where day = $today'], { kind: 'event_added' }],
  [
    'events without any chain',
    ['delete from audit_days where day = $today', 'delete from audit_chain where day = $today'],
    { kind: 'event_added' },
  ],
  [
    'the day before removed with all that is in it',
    [
      'delete from audit_days where day = $today - 1',
      'delete from audit_chain where day = $today - 1',
      `delete from audit_events where at < $today::timestamp at time zone 'UTC'`,
    ],
    { kind: 'chain_broken' },
  ],
];
for (const [what, statements, problem] of cases)
  test(`${what} is found, and nothing is once it is undone`, async () => {
    await tampered(statements, async () => {
      const found = await verifyDay(today);
      assert.equal(found.status, 'broken');
      assert.partialDeepStrictEqual(found.problem, problem, JSON.stringify(found));
    });
    const found = await verifyDay(today);
    assert.equal(found.status, 'ok', JSON.stringify(found.problem));
  });

/** What somebody does who knows how the chain is made. */
const madeAnew = `do $$
  declare
    ids uuid[] := (select array_agg(event_id order by position) from audit_chain where day = $today);
    event audit_events;
  begin
    update audit_events set actor_id = 'nobody' where id = ids[3];
    delete from audit_chain where day = $today;
    update audit_days set events = 0, head = base where day = $today;
    for n in 1 .. cardinality(ids) loop
      select * into event from audit_events where id = ids[n];
      perform append_to_audit_chain(event);
    end loop;
  end $$`;

test('a chain that was made anew is right in itself, and is not the one whose head was noted', async () => {
  const { head } = await verifyDay(today);
  const yesterday = await verifyDay(dayOf(1));
  await eventsOf(0, 2); // what came since does not matter
  const expect = `${today}=${head},${dayOf(1)}=${yesterday.head}`;
  for (const { status } of await verify({ expect })) assert.equal(status, 'ok');

  await tampered([madeAnew], async () => {
    assert.equal((await verifyDay(today)).status, 'ok', 'nobody could tell');
    const days = await verify({ expect });
    assert.equal(dayIn(days, today).problem?.kind, 'head_unexpected');
    assert.equal(dayIn(days, dayOf(1)).status, 'ok');
  });

  const gone = await verify({ expect: `2001-01-01=${head}` });
  assert.equal(dayIn(gone, '2001-01-01').problem?.kind, 'head_unexpected');
});

test('a month that is kept no longer is forgotten, not broken, and its heads are still there', async () => {
  const old = new Date(Date.UTC(new Date().getUTCFullYear() - 2, 3, 4, 12));
  const [day, next] = [old, new Date(old.getTime() + 40 * dayMs)].map((date) => date.toISOString().slice(0, 10));
  assert.ok(day && next);
  await server.sql(`select ensure_partitions('audit_events', $1, 2), ensure_audit_chain($1, 2)`, [old]);
  for (const at of [`${day}T01:00:00Z`, `${day}T02:00:00Z`, `${next}T01:00:00Z`])
    await server.store.auditEvents.insert({ action: 'client.updated', at: new Date(at) });
  const { head } = await verifyDay(day);

  const [forgotten] = await server.sql('select forget_audit_month($1::date) as gone', [day]);
  assert.equal(forgotten?.gone, '2');
  const days = await verify({ expect: `${day}=${head}` });
  assert.deepEqual(dayIn(days, day), { day, events: 2, forgotten: 2, status: 'forgotten', head, problem: null });
  assert.equal(dayIn(days, next).status, 'ok', 'which started from it');
  const [left] = await server.sql(
    `select to_regclass('audit_events_' || to_char($1::date, 'YYYY_MM')) as events,
            to_regclass('audit_chain_' || to_char($1::date, 'YYYY_MM')) as chain`,
    [day],
  );
  assert.deepEqual(left, { events: null, chain: null });

  await server.store.auditEvents.insert({ action: 'client.updated', at: new Date(`${day}T03:00:00Z`) });
  const late = await verifyDay(day);
  assert.deepEqual([late.status, late.events, late.forgotten], ['ok', 3, 2], 'what came late goes on from there');

  await assert.rejects(server.sql(`select forget_audit_month($1)`, [today]), /is not over/);
});

test('the chain begins with the whole day it was introduced, and does not miss what is older', async (t) => {
  const { dsn, drop } = await createEmptyDatabase();
  const connection = new pg.Client({ connectionString: dsn });
  await connection.connect();
  const database = openDatabase({ dsn, maxConnections: 1, applicationName: 'authserver test' });
  t.after(async () => {
    await connection.end();
    await database.end();
    await drop();
  });
  const migrations = await readMigrations();
  for (const { version, sql } of migrations) {
    if (version === 21)
      await connection.query(
        `insert into audit_events (id, at, action, details)
         select overlay(uuidv7_floor(at)::text placing '7000-8000' from 15 for 9)::uuid, at, 'user.login', '{}'
           from (select (now() at time zone 'UTC')::date::timestamp at time zone 'UTC' + n * interval '1 minute' as at
                   from generate_series(-3, 4) as n) as t`,
      );
    await connection.query(sql);
  }
  const verified = async () => {
    const days = [];
    const { auditChain } = createStore(database);
    const range = { from: '1970-01-01', to: '9999-01-01', expected: new Map() };
    for await (const { status, events } of verifyAuditChain(auditChain, range)) days.push([status, events]);
    return days;
  };
  assert.deepEqual(await verified(), [['ok', 5]]);
  await createStore(database).auditEvents.insert({ action: 'user.login', at: new Date() });
  assert.deepEqual(await verified(), [['ok', 6]]);
});

test('what is asked for wrongly is refused', async () => {
  const head = 'a'.repeat(64);
  for (const query of [
    'since=yesterday',
    'since=2026-01-02&until=2026-01-01',
    `expect=2026-01-01=abc`,
    `expect=2026-01-01=${head}&since=2026-01-02`,
    'limit=1',
  ])
    assert.equal((await server.adminRequest('GET', `/admin/audit/verify?${query}`)).status, 400, query);
});
