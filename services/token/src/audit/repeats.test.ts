import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '@authserver/store';
import { createAuditRepeats } from './repeats.ts';

const start = Date.parse('2026-01-31T10:00:00Z');

const recorded = () => {
  const written: AuditEvent[] = [];
  const lost: number[] = [];
  const state = { now: start, away: false };
  const repeats = createAuditRepeats({
    async insert(events) {
      if (state.away) throw new Error('away');
      written.push(...events);
    },
    onLost: (_action, events) => lost.push(events),
    clock: { now: () => new Date(state.now) },
  });
  const fail = (ip: string, member: string) =>
    repeats.record(
      { action: 'user.login_failed', at: new Date(state.now), ip, details: { reason: 'user_not_found' } },
      { group: ip, member },
    );
  const windowEnds = () => {
    state.now += 5 * 60_000;
    return repeats.write.run(new Date(state.now), 500);
  };
  return { written, lost, state, repeats, fail, windowEnds };
};

const sum = (events: readonly AuditEvent[]) =>
  events.reduce((all, { details }) => all + Number(details?.count ?? 1), 0);

test('a flood from many addresses makes a bounded number of rows and loses no event', async () => {
  const { written, fail, windowEnds } = recorded();
  for (let n = 0; n < 20_000; n += 1) await fail(`10.0.${n % 50}.${n % 256}`, `member ${n % 7}`);
  assert.equal(written.length, 60, 'rows of their own');
  await windowEnds();
  assert.equal(sum(written), 20_000);
  assert.equal(written.length, 60 + 101);
  assert.equal(written.at(-1)?.ip, undefined, 'the last one is about all the small ones');
});

test('more addresses than are told apart share one row', async () => {
  const { written, fail, windowEnds } = recorded();
  for (let n = 0; n < 5_000; n += 1) await fail(`group ${n}`, 'one');
  await windowEnds();
  assert.equal(sum(written), 5_000);
  assert.ok(written.length <= 161);
});

test('nothing is written while a window lasts, and nothing when nothing happened', async () => {
  const { written, fail, repeats, state, windowEnds } = recorded();
  await windowEnds();
  assert.deepEqual(written, []);
  await fail('10.0.0.1', 'a');
  await fail('10.0.0.1', 'a');
  state.now += 4 * 60_000;
  await repeats.write.run(new Date(state.now), 500);
  assert.equal(written.length, 1);
});

test('counts wait for a database that is away, and what cannot be written in the end is told', async () => {
  const { written, lost, fail, repeats, state, windowEnds } = recorded();
  for (let n = 0; n < 4; n += 1) await fail('10.0.0.1', 'a');
  state.away = true;
  await assert.rejects(fail('10.0.0.2', 'b'), /away/, 'a first one is not counted away');
  await assert.rejects(windowEnds(), /away/);
  state.away = false;
  await windowEnds();
  assert.equal(sum(written), 4);

  for (let n = 0; n < 4; n += 1) await fail('10.0.0.3', 'a');
  state.away = true;
  await repeats.close();
  assert.deepEqual(lost, [3]);
});
