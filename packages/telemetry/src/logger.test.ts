import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

/** Logs 40 MB, says so on standard error, and goes on for as long as its standard input is open. */
const talker = `
  import { createLogger } from '${new URL('logger.ts', import.meta.url).href}';
  const logger = createLogger({ level: 'info', stdout: true });
  for (let n = 0; n < 200; n += 1) {
    for (let line = 0; line < 1000; line += 1) logger.info({ n, text: 'x'.repeat(120) }, 'line');
    await new Promise(setImmediate);
  }
  console.error('done');
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));`;

test('a log that nobody reads takes no more than its share of memory, and says what was lost', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', talker], { stdio: 'pipe' });
  const exited = once(child, 'exit');
  await once(child.stderr, 'data');
  let text = '';
  const read = new Promise<void>((told) => {
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('were lost')) told();
    });
  });
  await read;
  child.stdin.end();
  await exited;
  assert.ok(text.length < 12_000_000, `${text.length} bytes were kept`);
  const lines = text.trim().split('\n');
  const told = lines.map((line) => JSON.parse(line)).find(({ msg }) => msg.includes('were lost'));
  assert.equal(told.lines + lines.length - 1, 200_000, 'every line is there, or is counted');
});

test('what has gathered is written when the process ends, however it does', async () => {
  for (const end of ['', 'process.exit(3);', "throw new Error('a fault');"]) {
    const script = `
      import { createLogger } from '${new URL('logger.ts', import.meta.url).href}';
      const logger = createLogger({ level: 'info', stdout: true });
      for (let n = 0; n < 200; n += 1) logger.info({ n, text: n === 50 ? '€'.repeat(40_000) : 'xé€'.repeat(20) }, 'line');
      ${end}`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const lines = (await text(child.stdout)).trim().split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).n),
      Array.from({ length: 200 }, (_, n) => n),
    );
  }
});
