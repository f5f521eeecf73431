import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMANDS } from './commands.ts';

test('every command has a lower-case fragment as summary, and an example that calls it', () => {
  for (const [id, command] of Object.entries(COMMANDS)) {
    assert.match(command.summary ?? '', /^[a-z].*[^.]$/, id);
    const words = `<%= config.bin %> ${id.replaceAll(':', ' ')}`;
    assert.ok(String(command.examples?.[0]).startsWith(words), id);
  }
});
