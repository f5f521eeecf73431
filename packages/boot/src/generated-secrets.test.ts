import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);

// A process that makes the same secrets as another one, at the same instants.
const maker = `
  import { readOrCreateSecret } from '${new URL('generated-secrets.ts', import.meta.url).href}';
  const [directory, start] = process.argv.slice(1);
  while (Date.now() < Number(start));
  const values = [];
  for (let n = 0; n < 2000; n += 1) values.push((await readOrCreateSecret(directory, 'secret-' + n)).value);
  console.log(JSON.stringify(values));`;

test('processes that start at once agree on every generated secret, and leave nothing else behind', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'secrets-'));
  t.after(() => rm(directory, { recursive: true }));
  const start = String(Date.now() + 700);
  const outputs = await Promise.all(
    [1, 2, 3, 4].map(() => run(process.execPath, ['--input-type=module', '-e', maker, directory, start])),
  );
  const [first, ...others] = outputs.map(({ stdout }) => stdout.trim());
  for (const other of others) assert.equal(other, first);
  assert.equal((await readdir(directory)).length, 2000);
});
