/** What `npm run build` makes, built elsewhere so that a `dist/` of this checkout stays as it is. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { startAuthServer } from '../support/auth-server.ts';
import { runCli } from '../support/command-line.ts';
import { emptyDirectory, root } from '../support/server-process.ts';

const place = await emptyDirectory();
const program = join(place, 'dist/lib/authserver.js');
const cwd = await emptyDirectory();

before(async () => {
  for (const name of await readdir(root))
    if (!['scripts', 'dist'].includes(name)) await symlink(join(root, name), join(place, name));
  await mkdir(join(place, 'scripts'));
  await copyFile(join(root, 'scripts/build.ts'), join(place, 'scripts/build.ts'));
  await promisify(execFile)(process.execPath, [join(place, 'scripts/build.ts')], { cwd: place });
});

test('the bundle says its version in a moment, with commit and build time', async (t) => {
  const milliseconds: number[] = [];
  for (let run = 0; run < 6; run += 1) {
    const started = performance.now();
    const { code, stdout } = await runCli(['version'], { program, cwd });
    milliseconds.push(performance.now() - started);
    assert.equal(code, 0);
    assert.match(stdout, /^authserver v\d+\.\d+\.\d+ commit=\S+ built=20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n$/);
  }
  const median = milliseconds.slice(1).sort((a, b) => a - b)[2] ?? Number.NaN; // the first run fills the compile cache
  t.diagnostic(`authserver version: ${median.toFixed(0)} ms (median of 5)`);
  assert.ok(median < 450, `${median} ms; 150 ms is what we promise on a machine with nothing else to do`);
});

test('the bundle has every command of the checkout', async () => {
  for (const args of [['help'], ['admin', '--help'], ['admin', 'client', '--help'], ['serve', '--help']]) {
    const [bundle, checkout] = await Promise.all([runCli(args, { program, cwd }), runCli(args, { cwd })]);
    assert.deepEqual([bundle.code, bundle.stdout], [0, checkout.stdout.replace('@authserver/cli/', 'authserver/')]);
  }
});

test('the bundle speaks to the admin API, and carries application and migrations', async () => {
  const server = await startAuthServer({ admin: true });
  const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
  const http = await runCli(['admin', 'user', 'list'], { program, cwd, env });
  assert.deepEqual([http.code, http.stdout, http.stderr], [0, 'no users found\n', '']);
  const config = ['--config', await server.configFile()];
  const user = ['admin', 'user', 'create', '--email', 'ada@example.com', '--password-stdin'];
  const made = await runCli([...user, ...config], { program, cwd, input: 'correct horse battery staple' });
  assert.match(made.stdout, /^user created: /, made.stderr);
  const plan = await runCli(['migrate', '--plan', ...config], { program, cwd });
  assert.match(plan.stdout, /^name=0001_changes\S* status=applied\n/, plan.stderr);
  assert.doesNotMatch(plan.stdout, /pending/);
});

test('the bundle has each service by itself, which knows what belongs to the command line', async () => {
  for (const name of ['token', 'admin']) {
    const { code, stdout, stderr } = await runCli([], { program: join(place, `dist/lib/${name}.js`), cwd });
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^error: storage\.driver is embedded/);
  }
});
