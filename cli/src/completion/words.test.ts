import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { bashCompletion } from './posix.ts';
import { nextWords } from './words.ts';

const flag = (name: string, options: string[] = []) => ({ name, description: '', takesValue: true, options });
const commands = [
  { path: 'serve', summary: '', flags: [flag('role', ['all', 'token'])] },
  { path: 'admin client list', summary: '', flags: [flag('status', ['active', 'revoked']), flag('limit')] },
  { path: 'admin client get', summary: '', flags: [flag('id')] },
];

test('each word leads to the next', () => {
  assert.deepEqual(
    [...nextWords(commands)],
    [
      ['', ['admin', 'serve']],
      ['admin', ['client']],
      ['admin client', ['get', 'list']],
    ],
  );
});

test('bash completes topics, flags and their values', () => {
  const cases = [
    [[''], 'admin serve'],
    [['admin', 'client', ''], 'get list'],
    [['admin', 'client', 'l'], 'list'],
    [['admin', 'client', 'list', '--'], '--status --limit'],
    [['admin', 'client', 'list', '--status', 'r'], 'revoked'],
    [['admin', 'client', 'list', '--status', 'active', '--l'], '--limit'],
    [['admin', 'client', 'list', '--limit', ''], ''],
    [['nonsense', ''], ''],
  ] as const;
  for (const [words, expected] of cases) {
    const typed = ['demo', ...words].map((word) => `'${word}'`).join(' ');
    const script = `${bashCompletion('demo', commands)}
      COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; COMP_LINE='demo ${words.join(' ')}'; COMP_POINT=\${#COMP_LINE}; _demo; echo "\${COMPREPLY[*]}"`;
    assert.equal(execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim(), expected, typed);
  }
});
