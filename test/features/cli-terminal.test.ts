/** What the command line does when a person sits at it: a real terminal, made by script(1). */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { cleanEnvironment, cliFile } from '../support/server-process.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
const skip = spawnSync('script', ['--version']).status === 0 ? false : 'there is no script(1), so no terminal';

/** Runs a command on a terminal where `typed` is typed as soon as it asks. */
const atTerminal = async (line: string, typed: string, columns = 80) => {
  const command = `stty cols ${columns}; '${process.execPath}' '${cliFile}' admin ${line}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...cleanEnvironment(env), TERM: 'xterm' } });
  const output: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output.push(chunk);
    if (typed !== '' && output.join('').includes('Type yes')) {
      child.stdin.write(typed);
      typed = '';
    }
  });
  const errors = text(child.stderr);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, screen: output.join('').replaceAll('\r', ''), errors: await errors };
};
const exists = async (id: string) => (await admin.client.list()).some((client) => client.id === id);
const newClient = async () =>
  (await admin.client.create({ body: { client_name: 'App', redirect_uris: ['https://app.example.com/cb'] } }))
    .client_id;

test('what cannot be taken back is asked about, and only yes is yes', { skip }, async () => {
  const id = await newClient();
  for (const typed of ['no\n', '\n', 'y\n', '\u0003', '\u0004']) {
    const { code, screen } = await atTerminal(`client delete --id ${id}`, typed);
    assert.match(screen, new RegExp(`Delete a client \\(id=${id}\\)\\? Type yes to go on: `));
    assert.match(screen, /nothing was done/);
    assert.equal(code, 2);
    assert.ok(await exists(id));
  }
  const { code, screen } = await atTerminal(`client delete --id ${id}`, 'yes\n');
  assert.equal(code, 0, screen);
  assert.match(screen, new RegExp(`client deleted: id=${id}\n`));
  assert.ok(!(await exists(id)));
});

test('--yes and a rehearsal are not asked', { skip }, async () => {
  const id = await newClient();
  const rehearsed = await atTerminal(`client delete --id ${id} --dry-run`, '');
  assert.deepEqual([rehearsed.code, rehearsed.screen], [0, `would delete a client: id=${id}\n`]);
  const revoked = await atTerminal(`client revoke --id ${id} --yes`, '');
  assert.deepEqual([revoked.code, revoked.screen], [0, `client revoked: id=${id}\n`]);
  const deleted = await atTerminal(`client delete --id ${id} -y`, '');
  assert.deepEqual([deleted.code, deleted.screen], [0, `client deleted: id=${id}\n`]);
});

test('a change that can be taken back is not asked about', { skip }, async () => {
  const id = await newClient();
  const { code, screen } = await atTerminal(`client suspend --id ${id}`, '');
  assert.deepEqual([code, screen], [0, `client suspended: id=${id}\n`]);
});

test('a table is as wide as the terminal', { skip }, async () => {
  await admin.client.create({ body: { client_name: 'n'.repeat(200), redirect_uris: ['https://app.example.com/cb'] } });
  const { screen } = await atTerminal('client list --output table', '', 70);
  const rows = screen.trimEnd().split('\n');
  assert.match(rows.at(-1) ?? '', /n…/);
  assert.ok(rows.every((row) => row.length <= 70));
});
