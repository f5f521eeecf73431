import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { type Results, report, summary } from './reporter.ts';

const file = `${process.cwd()}/a.test.ts`;
const error = Object.assign(new Error('1 test failed'), { failureType: 'testCodeFailure', cause: new Error('boom') });
const inner = Object.assign(new Error('1 subtest failed'), { failureType: 'subtestsFailed' });

type Loose = { type: string; data: Record<string, unknown> };
const start = (name: string, nesting = 0): Loose => ({ type: 'test:start', data: { name, nesting, file } });
const pass = (name: string, more = {}): Loose => ({
  type: 'test:pass',
  data: { name, nesting: 0, file, details: { type: 'test' }, ...more },
});
const fail = (name: string, more = {}): Loose => ({
  type: 'test:fail',
  data: { name, nesting: 0, file, details: { type: 'test', error }, ...more },
});

async function read(events: Loose[]): Promise<{ text: string; last: string | undefined; results: Results }> {
  const results: Results = new Map();
  let text = '';
  async function* stream() {
    yield* events as unknown as TestEvent[];
  }
  for await (const part of report(stream(), results)) text += part;
  text += summary(results);
  return { text, last: text.trimEnd().split('\n').at(-1), results };
}

for (const { name, events, last } of [
  { name: 'tests that pass', events: [pass('a'), pass('b')], last: '2 passed, 0 failed' },
  { name: 'a test that fails', events: [pass('a'), fail('b')], last: '1 passed, 1 failed' },
  { name: 'a skipped test', events: [pass('a'), pass('b', { skip: true })], last: '1 passed, 0 failed, 1 skipped' },
  { name: 'a todo that fails', events: [fail('a', { todo: 'later' })], last: '0 passed, 0 failed, 1 skipped' },
  {
    name: 'a suite, which is no test',
    events: [pass('s', { details: { type: 'suite' } })],
    last: '0 passed, 0 failed',
  },
  {
    name: 'a suite whose hook fails',
    events: [fail('s', { details: { type: 'suite', error } })],
    last: '0 passed, 1 failed',
  },
  {
    name: 'a suite that fails because of a test in it',
    events: [fail('a', { nesting: 1 }), fail('s', { details: { type: 'suite', error: inner } })],
    last: '0 passed, 1 failed',
  },
  { name: 'a file that crashes', events: [fail(file)], last: '0 passed, 1 failed' },
  { name: 'a file without tests', events: [pass(file)], last: '0 passed, 0 failed' },
  {
    name: 'a run that fails for no test',
    events: [pass('a'), { type: 'test:summary', data: { success: false } }],
    last: '1 passed, 1 failed',
  },
]) {
  test(`the last line counts ${name}`, async () => assert.equal((await read(events)).last, last));
}

test('a failure is told in full, under the names around it', async () => {
  const { text } = await read([start('suite'), start('case', 1), fail('case', { nesting: 1 })]);
  assert.match(text, /✖ a\.test\.ts: suite > case\n[\s\S]*Error: boom\n/);
});

test('a skipped test is told with its reason', async () => {
  assert.match((await read([pass('a', { skip: 'no browser' })])).text, /a\.test\.ts: a \(no browser\)/);
});
