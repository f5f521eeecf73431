import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeLines } from './write-lines.ts';

const directory = await mkdtemp(join(tmpdir(), 'write-lines-'));
after(() => rm(directory, { recursive: true, force: true }));

test('a file is there when all of it is', async () => {
  const file = join(directory, 'whole');
  const items = async function* () {
    for (let n = 0; n < 3; n += 1) {
      assert.ok(!(await readdir(directory)).includes('whole'));
      yield { n };
    }
  };
  let lines = 0;
  const onLine = () => {
    lines += 1;
  };
  assert.equal(await writeLines(file, items(), onLine), 3);
  assert.equal(lines, 3);
  assert.equal(await readFile(file, 'utf8'), '{"n":0}\n{"n":1}\n{"n":2}\n');
  await assert.rejects(writeLines(file, items(), onLine), { code: 'conflict', exitCode: 5 });
});

test('an answer that breaks off leaves nothing behind', async () => {
  const items = async function* () {
    yield 1;
    throw new TypeError('terminated');
  };
  await assert.rejects(
    writeLines(join(directory, 'half'), items(), () => {}),
    {
      exitCode: 1,
      message: 'the answer broke off after 1 lines: the connection was lost',
    },
  );
  assert.ok(!(await readdir(directory)).some((name) => name.startsWith('half')));
});

test('a directory that is not there is a failure', async () => {
  const none = async function* () {};
  await assert.rejects(
    writeLines(join(directory, 'no', 'where'), none(), () => {}),
    { code: 'ENOENT' },
  );
});
