import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdminRequest, AdminResponse } from '@authserver/admin-api';
import { CommandFailure, exitCodes } from './failure.ts';
import { AnswerLost } from './http-transport.ts';
import { withRepetition } from './repetition.ts';

const broken = new AnswerLost('http://x', new Error('socket hang up'));
const late = new AnswerLost('http://x', Object.assign(new Error('late'), { name: 'TimeoutError' }));
const unreachable = new CommandFailure('unreachable', exitCodes.failure, 'nobody there');

/** Sends a request where each try gets the next outcome; says what was sent and waited for. */
const tried = async (method: AdminRequest['method'], outcomes: (AdminResponse | Error)[]) => {
  const sent: AdminRequest[] = [];
  const waits: number[] = [];
  const send = withRepetition(
    async (request) => {
      sent.push(request);
      const outcome = outcomes[sent.length - 1] as AdminResponse | Error;
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
    async (ms) => waits.push(ms),
  );
  const result = await send({ method, path: '/admin/x' }).catch((error: unknown) => error);
  return { result, sent, waits };
};
const answer = (status: number, headers?: Record<string, string>): AdminResponse => ({
  status,
  body: {},
  ...(headers ? { headers } : {}),
});

test('what was lost is sent again, a change with the same key', async () => {
  const cases: [(AdminResponse | Error)[], tries: number, waits: number[]][] = [
    [[answer(201)], 1, []],
    [[broken, answer(201)], 2, [250]],
    [[answer(502), broken, answer(201)], 3, [250, 1000]],
    [[broken, broken, broken], 3, [250, 1000]],
    [[answer(503, { 'retry-after': '2' }), answer(201)], 2, [2000]],
    [[answer(503, { 'retry-after': '600' }), answer(201)], 2, [5000]],
    [[answer(500)], 1, []],
    [[answer(409)], 1, []],
    [[answer(429)], 1, []],
    [[unreachable], 1, []],
    [[late, answer(201)], 2, []],
    [[late, late], 2, []],
  ];
  for (const [outcomes, tries, waited] of cases) {
    const { result, sent, waits } = await tried('POST', outcomes);
    assert.equal(sent.length, tries);
    assert.deepEqual(waits, waited);
    assert.equal(result, outcomes[tries - 1]);
    const keys = new Set(sent.map(({ headers }) => headers?.['idempotency-key']));
    assert.equal(keys.size, 1);
    assert.match([...keys][0] ?? '', /^[\da-f-]{36}$/);
  }
});

test('a look needs no key, and two changes do not share one', async () => {
  const look = await tried('GET', [broken, answer(200)]);
  assert.deepEqual(
    look.sent.map(({ headers }) => headers),
    [{}, {}],
  );
  const keys = await Promise.all([tried('POST', [answer(201)]), tried('POST', [answer(201)])]);
  assert.notEqual(keys[0].sent[0]?.headers?.['idempotency-key'], keys[1].sent[0]?.headers?.['idempotency-key']);
});
