import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { COMMANDS, operationsOf } from './commands.ts';
import { commandIdOf, everyOperation } from './operations.ts';

test('every command has a lower-case fragment as summary, and an example that calls it', () => {
  for (const [id, command] of Object.entries(COMMANDS)) {
    assert.match(command.summary ?? '', /^[a-z].*[^.]$/, id);
    const words = `<%= config.bin %> ${id.replaceAll(':', ' ')}`;
    assert.ok(String(command.examples?.[0]).startsWith(words), id);
  }
});

test('every operation of the admin API has a command, and every command on it has an operation', () => {
  const noOperation = ['admin:top']; // it reads /metrics
  const reached = new Set(Object.keys(COMMANDS).flatMap(operationsOf));
  assert.deepEqual(
    everyOperation.filter((operation) => !reached.has(operation)),
    [],
  );
  for (const id of Object.keys(COMMANDS).filter((id) => id.startsWith('admin:') && !noOperation.includes(id)))
    assert.ok(operationsOf(id).length > 0, `${id} says no operations, and has the name of none`);
  assert.equal(commandIdOf('client.rotateSecret'), 'admin:client:rotate-secret');
});

test('every topic says what it is about', async () => {
  type Topic = { description?: string; subtopics?: Record<string, Topic> };
  const { oclif } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  for (const id of Object.keys(COMMANDS)) {
    let topics: Record<string, Topic> | undefined = oclif.topics;
    for (const word of id.split(':').slice(0, -1)) {
      const topic: Topic | undefined = topics?.[word];
      assert.ok(topic?.description, `${id}: ${word} is not described in cli/package.json`);
      topics = topic.subtopics;
    }
  }
});

test('what ends for good can be confirmed, what changes can be rehearsed, and what only looks has neither', () => {
  const flags = (id: string) => Object.keys(COMMANDS[id]?.flags ?? {});
  for (const id of ['client:delete', 'client:revoke', 'user:force-logout', 'dcr:token:revoke', 'grant:revoke-consent'])
    for (const flag of ['yes', 'dry-run', 'if-match'])
      assert.ok(flags(`admin:${id}`).includes(flag), `${id} --${flag}`);
  for (const id of ['client:create', 'client:suspend', 'dcr:set', 'key:rotate']) {
    assert.ok(flags(`admin:${id}`).includes('dry-run'), id);
    assert.ok(!flags(`admin:${id}`).includes('yes'), id);
  }
  for (const id of ['client:list', 'system:status', 'stats'])
    for (const flag of ['yes', 'dry-run', 'if-match'])
      assert.ok(!flags(`admin:${id}`).includes(flag), `${id} --${flag}`);
});
