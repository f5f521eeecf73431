/**
 * Delegation against a model: consents, refreshes, machine tokens, exchanges of exchanges, revocations, suspensions and
 * changes of policy in random order over two pods; now and then one of them beside a request. After each step some of the
 * tokens issued so far are introspected. No token is active that the model says is dead, nor has it more than the model
 * allows; and what the model allows is not refused.
 *
 * `DELEGATION_STEPS=20000 node --test test/fuzz/delegation.test.ts` takes some minutes. A failure prints its seed, its step
 * and what led there; `DELEGATION_SEED=1` does the same again, up to the order of what goes on at once.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Answer, ok } from '../support/test-app.ts';
import { type Asking, askingOf, consent } from './delegation/askings.ts';
import { type Change, changeOf, endingOf } from './delegation/changes.ts';
import { judge, mismatchOf, nameOf } from './delegation/judge.ts';
import { createWorld, type Known } from './delegation/world.ts';
import { type Random, seeded } from './random.ts';

const steps = Number(process.env.DELEGATION_STEPS ?? 250);
const seed = Number(process.env.DELEGATION_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Tokens that are looked at after a step, and the most recent ones of which all are looked at now and then. */
const sample = 3;
const mostKnown = 300;
const everySteps = 100;
const tail = 40;
/** Requests beside the end of what they rest on, and by how much each of them may be late. */
const racers = 4;
const mostLateMs = 25;
/** In a run of many minutes beside other work 503 means that one may ask again, some times; otherwise never. */
const patience = process.env.DELEGATION_STEPS === undefined ? 0 : 5;

const world = await createWorld();
const { model, auditor } = world;
const journal: string[] = [];
const counts = { issued: 0, refused: 0, changes: 0, raced: 0, outrun: 0, seenActive: 0, seenDead: 0 };

const patiently = async <T>(ask: () => Promise<Answer<T>>, left = patience): Promise<Answer<T>> => {
  const answer = await ask();
  if (answer.status !== 503 || left === 0) return answer;
  await setTimeout(1_000);
  return patiently(ask, left - 1);
};

/** A refresh is not asked for again: it may have been done, and then the second would be a theft. */
const answerTo = (asking: Asking): ReturnType<Asking['ask']> =>
  asking.family ? asking.ask() : patiently(() => asking.ask());

const look = async (known: Known, pod: number): Promise<void> => {
  const { active, ...shown } = ok(await patiently(() => auditor.introspect(known.text, pod)));
  const alive = model.isActive(known.token);
  assert.equal(active, alive, `${nameOf(world, known.token)} is ${active ? 'active' : 'dead'} on pod ${pod}`);
  if (!active) assert.deepEqual(shown, {}, 'a dead token says nothing');
  else assert.equal(mismatchOf(world, known.token, shown), undefined);
  counts[alive ? 'seenActive' : 'seenDead'] += 1;
};

const request = async (asking: Asking): Promise<void> => {
  const expected = asking.expect();
  const answer = await answerTo(asking);
  judge(world, asking, answer, [expected]);
  counts[answer.status === 200 ? 'issued' : 'refused'] += 1;
  if (answer.status === 200) world.granted.push(asking);
};

/**
 * Several requests while something ends: each comes before it or after it. A refresh is one, since a second is a theft.
 * What was issued is looked at and forgotten, or a seed would not lead the same way again.
 */
const race = async (asking: Asking, change: Change, random: Random): Promise<void> => {
  const before = asking.expect();
  const earlier = world.tokens.length;
  const asks = Array.from({ length: asking.family ? 1 : racers }, async () => {
    await setTimeout(random.below(mostLateMs));
    return answerTo(asking);
  });
  const [answers] = await Promise.all([Promise.all(asks), change.make()]);
  change.model();
  await world.settled();
  const after = asking.expect();
  for (const answer of answers) {
    judge(world, asking, answer, [before, after]);
    counts[answer.status === 200 ? 'raced' : 'outrun'] += 1;
  }
  for (const known of world.tokens.slice(earlier)) await look(known, random.below(2));
  world.tokens.length = earlier;
};

const step = async (n: number): Promise<void> => {
  const random = seeded(seed, n);
  const kind = random.next();
  if (kind < 0.12) {
    journal.push((await consent(world, random)) ?? 'nobody consents');
  } else if (kind < 0.32) {
    const asking = random.chance(0.4) ? askingOf(world, random) : undefined;
    const wanted = asking?.expect()?.token;
    const change = wanted ? endingOf(world, random, wanted) : changeOf(world, random);
    journal.push(`${change?.says ?? 'nothing'}${wanted ? `; meanwhile ${asking?.says}` : ''}`);
    if (change && asking && wanted && !change.gives) await race(asking, change, random);
    else if (change) {
      await change.make();
      change.model();
      await world.settled();
      counts.changes += 1;
    }
  } else {
    const asking = askingOf(world, random);
    journal.push(asking?.says ?? 'nothing');
    if (asking) await request(asking);
  }
  const { tokens } = world;
  if (tokens.length > mostKnown * 2) tokens.splice(0, tokens.length - mostKnown);
  const young = tokens.slice(-mostKnown);
  const seen = n % everySteps === 0 ? young : Array.from({ length: sample }, () => random.pick(young));
  for (const known of seen) if (known) await look(known, random.below(2));
};

test(`no token is good for longer or for more than the model allows, in ${steps} steps from seed ${seed}`, async (t: TestContext) => {
  for (let n = 1; n <= steps; n += 1) {
    if (n % 1000 === 0) console.error(`${n} steps`);
    try {
      await step(n);
    } catch (error) {
      const again = `DELEGATION_SEED=${seed} DELEGATION_STEPS=${n} node --test test/fuzz/delegation.test.ts`;
      const reason = error instanceof Error ? error.message : String(error);
      const trail = journal.slice(-tail).map((line, index, lines) => `${n - lines.length + index + 1}. ${line}`);
      throw new Error(`step ${n}: ${reason}\n${again}\n\n${trail.join('\n')}`, { cause: error });
    }
  }
  t.diagnostic(JSON.stringify(counts));
  assert.ok(
    counts.issued > steps / 10 && counts.refused > steps / 20 && counts.seenDead > steps / 10,
    'too little happened',
  );
});
