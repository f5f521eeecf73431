import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { runCli } from '../support/command-line.ts';
import { emptyDirectory, root } from '../support/server-process.ts';

const cwd = await emptyDirectory();
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const line = new RegExp(`^authserver v${version.replaceAll('.', '\\.')} commit=([0-9a-f]{7}|unknown) built=(\\S+)\\n$`);

test('version says version, commit and build time, however it is asked (seed: authserver version)', async () => {
  for (const words of [['version'], ['--version'], ['-v']]) {
    const { code, stdout, stderr } = await runCli(words, { cwd });
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, line);
  }
  const { stdout } = await runCli(['version', '--json'], { cwd });
  assert.deepEqual(Object.keys(JSON.parse(stdout)), ['version', 'commit', 'built']);
});

for (const [shell, check] of Object.entries({
  bash: ['bash', '-n'],
  zsh: ['zsh', '-n'],
  fish: ['fish', '--no-execute'],
}))
  test(`completion ${shell} prints a script that knows commands, flags and values`, async (t) => {
    const { code, stdout, stderr } = await runCli(['completion', shell], { cwd });
    assert.deepEqual([code, stderr], [0, '']);
    for (const word of ['rotate-secret', 'issuance', 'password-stdin', 'approved_redirects'])
      assert.ok(stdout.includes(word), word);
    const [program = '', flag = ''] = check;
    const file = join(cwd, `completion.${shell}`);
    await writeFile(file, stdout);
    await promisify(execFile)(program, [flag, file], { cwd }).catch(
      (error: NodeJS.ErrnoException & { stderr?: string }) => {
        if (error.code !== 'ENOENT') assert.fail(error.stderr ?? error.message);
        t.diagnostic(`${shell} is not installed here: its grammar was not checked`);
      },
    );
  });

test('bash completes commands, flags and the values of a flag', async () => {
  const { stdout: script } = await runCli(['completion', 'bash'], { cwd });
  const complete = async (...words: string[]) => {
    const ask = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
COMP_LINE='${words.join(' ')}'; COMP_POINT=\${#COMP_LINE}
"$(complete -p authserver | sed -E 's/.*-F ([^ ]+).*/\\1/')"; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', ask], { cwd });
    return stdout.split('\n').filter((word) => word !== '');
  };
  assert.ok((await complete('authserver', '')).includes('serve'));
  assert.ok((await complete('authserver', 'admin', 'cl')).map((word) => word.trim()).includes('client'));
  assert.ok(
    (await complete('authserver', 'admin', 'client', 'rotate')).map((word) => word.trim()).includes('rotate-secret'),
  );
  assert.ok(
    (await complete('authserver', 'admin', 'user', 'create', '--password-')).join().includes('--password-stdin'),
  );
});

test('an unknown shell is a usage error', async () => {
  assert.equal((await runCli(['completion', 'tcsh'], { cwd })).code, 2);
  assert.equal((await runCli(['completion'], { cwd })).code, 2);
});
