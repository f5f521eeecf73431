import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandFailure } from './failure.ts';
import { parseLinkMap, parseScope, parseScopeMap, readScopesFile } from './scopes.ts';

const isUsage = (error: unknown) => error instanceof CommandFailure && error.exitCode === 2;

test('name|upstream|description, of which only the name is needed', () => {
  const cases = [
    ['tools/read', { name: 'tools/read' }],
    ['tools/read||Read tools', { name: 'tools/read', description: 'Read tools' }],
    ['a|b', { name: 'a', upstream: 'b' }],
    [' a | b | c | d ', { name: 'a', upstream: 'b', description: 'c | d' }],
  ] as const;
  for (const [tuple, scope] of cases) assert.deepEqual(parseScope(tuple), scope, tuple);
  for (const tuple of ['', '|b|c', '  ']) assert.throws(() => parseScope(tuple), isUsage, tuple);
});

test('a scope map is sugar for names with their upstream names', () => {
  assert.deepEqual(parseScopeMap('tools/read:tools/read, w : up:w'), [
    { name: 'tools/read' },
    { name: 'w', upstream: 'up:w' },
  ]);
  for (const map of ['', 'a', 'a:', ':b', 'a:b,']) assert.throws(() => parseScopeMap(map), isUsage, map);
});

test('a link map says what becomes what; a source that is named again gets the targets of both', () => {
  assert.deepEqual(parseLinkMap('src/read:dst/read'), { 'src/read': ['dst/read'] });
  assert.deepEqual(parseLinkMap(' a : b+c , d:e:f+g , a:h+b '), { a: ['b', 'c', 'h'], d: ['e:f', 'g'] });
  for (const map of ['', 'a', 'a:', ':b', 'a:b,', 'a:b+', 'a:+b', 'a: + b', ' :b'])
    assert.throws(() => parseLinkMap(map), isUsage, map);
});

test('a scopes file must hold a JSON array', async () => {
  await assert.rejects(readScopesFile(import.meta.filename), isUsage);
  await assert.rejects(readScopesFile('/nowhere/scopes.json'), isUsage);
});
