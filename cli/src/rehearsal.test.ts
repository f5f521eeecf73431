import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rehearsed } from './rehearsal.ts';

test('a rehearsal says what would be done', () => {
  const cases: [lines: string[], summary: string, creates: boolean, said: string[]][] = [
    [
      ['client created: id=x name="My App"', 'client_secret='],
      'create a client and show its secret, this once',
      true,
      ['would create a client: name="My App"'],
    ],
    [['user deleted: id=x'], 'delete a user', false, ['would delete a user: id=x']],
    [
      ['DCR mode set to: open'],
      'change who may register a client; at once',
      false,
      ['would change who may register a client: open'],
    ],
    [['client suspended: id=x'], 'suspend a client: it gets no new tokens', false, ['would suspend a client: id=x']],
    [['3 objects', 'resource a'], 'apply a file', false, ['would apply a file: 3 objects', 'resource a']],
  ];
  for (const [lines, summary, creates, said] of cases) assert.deepEqual(rehearsed(lines, summary, creates), said);
});
