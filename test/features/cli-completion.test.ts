/** Names that shells complete: the ids, slugs and contexts there are, asked of the server while somebody types. */
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startAuthServer } from '../support/auth-server.ts';
import { runCli } from '../support/command-line.ts';
import { findProgram } from '../support/programs.ts';
import { cleanEnvironment, cliFile, emptyDirectory, freePorts } from '../support/server-process.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const home = await emptyDirectory();
const env = {
  AUTHPLANE_ADMIN_URL: server.adminUrl,
  AUTHPLANE_ADMIN_API_KEY: server.adminKey,
  XDG_CONFIG_HOME: join(home, 'config'),
  HOME: home,
  PATH: `${home}:${process.env.PATH}`,
};
const names = async (words: string[], more: Record<string, string> = {}) => {
  const { code, stdout, stderr } = await runCli(['__complete', '--', ...words], {
    env: { ...env, ...more },
    cwd: home,
  });
  assert.deepEqual([code, stderr], [0, '']);
  return stdout.split('\n').slice(0, -1);
};
const values = async (...words: string[]) => (await names(words)).map((line) => line.split('\t')[0]);

const redirect_uris = ['https://app.example.com/cb'];
const { client_id: one } = await admin.client.create({ body: { client_name: 'One', redirect_uris } });
const { client_id: two } = await admin.client.create({ body: { client_name: 'Two', redirect_uris } });
const user = await server.user();
const ids = [one, two].sort();

before(async () => {
  for (const slug of ['my-mcp', 'my-other']) await server.resource({ slug, uri: `https://${slug}.example.com/` });
  await writeFile(join(home, 'authserver'), `#!/bin/sh\nexec '${process.execPath}' '${cliFile}' "$@"\n`, {
    mode: 0o755,
  });
  const context = ['context', 'add', 'production', '--admin-url', server.adminUrl];
  assert.equal((await runCli(context, { env })).code, 0);
});

test('each flag leads to the names it takes', async () => {
  assert.deepEqual((await values('admin', 'client', 'get', '--id', 'client_')).sort(), ids);
  assert.deepEqual(await values('admin', 'client', 'get', '--id', one.slice(0, 8)), [one]);
  assert.ok((await names(['admin', 'client', 'get', '--id', one])).includes(`${one}\tOne`));
  assert.deepEqual((await values('admin', 'resource', 'get', '--slug', 'my-')).sort(), ['my-mcp', 'my-other']);
  assert.deepEqual(await values('admin', 'resource', 'policy', 'exchange', 'add', '--slug', 'my-m'), ['my-mcp']);
  const added = await values(
    'admin',
    'resource',
    'policy',
    'exchange',
    'add',
    '--slug',
    'my-mcp',
    '--client-id',
    'client_',
  );
  assert.deepEqual(added.sort(), ids);
  assert.deepEqual(await values('admin', 'issuance', 'list', '--user', ''), [user.id]);
  assert.deepEqual((await values('admin', 'issuance', 'list', '--client', 'client_')).sort(), ids);
  assert.deepEqual(await values('admin', 'issuance', 'list', '--resource', 'my-o'), ['my-other']);
  assert.deepEqual(await values('admin', 'user', 'get', '--id', ''), [user.id]);
  assert.ok((await values('admin', 'audit', 'list', '--action', 'client.')).includes('client.deleted'));
  for (const words of [
    ['admin', 'stats', '--context', ''],
    ['context', 'use', 'pro'],
    ['context', 'remove', ''],
  ])
    assert.deepEqual(await values(...words), ['production'], words.join(' '));
  const nothing = [
    ['admin', 'client', 'create', '--name', ''],
    ['admin', 'client', 'nonsense', '--id', ''],
    ['admin', 'client', ''],
    [''],
    [],
    ['--id', ''],
  ];
  for (const words of nothing) assert.deepEqual(await values(...words), [], words.join(' '));
});

test('where there is no answer there is no word, and nothing waits for it', async () => {
  const words = ['admin', 'client', 'get', '--id', ''];
  const [port] = await freePorts(1);
  assert.deepEqual(await names(words, { AUTHPLANE_ADMIN_URL: `http://127.0.0.1:${port}` }), []);
  assert.deepEqual(await names(words, { AUTHPLANE_ADMIN_API_KEY: 'wrong' }), []);
  assert.deepEqual(await names([...words.slice(0, 3), '--context', 'nowhere', '--id', '']), []);
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  after(() => silent.close().closeAllConnections());
  await once(silent, 'listening');
  assert.deepEqual(
    await names(words, { AUTHPLANE_ADMIN_URL: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` }),
    [],
  );
  const config = await server.configFile();
  assert.deepEqual(
    await names([...words.slice(0, 3), '--config', config, '--id', ''], { AUTHPLANE_ADMIN_URL: '' }),
    [],
    'no database is opened for a word',
  );
});

/** Anybody may be a client by the URL of a document, and choose the URL; names are theirs in any case. */
const hostile = [
  'https://x.example/$(touch owned)',
  'https://x.example/`touch owned`',
  "https://x.example/';touch owned;'",
];
const harmless = 'https://client.example/metadata.json';

before(async () => {
  for (const [index, id] of [...hostile, harmless].entries()) {
    const { client_id } = await admin.client.create({ body: { client_name: `Stranger ${index}`, redirect_uris } });
    await server.sql('update clients set client_id = $1, client_name = $2 where client_id = $3', [
      id,
      id === harmless ? '$(touch owned)\u001b[2J`touch owned`' : 'x',
      client_id,
    ]);
  }
});

test('what a shell would take for more than a word is not offered', async () => {
  assert.deepEqual(await names(['admin', 'client', 'get', '--id', 'https://']), [
    `${harmless}\t$(touch owned) [2J\`touch owned\``,
  ]);
});

const untouched = () =>
  assert.equal(spawnSync('ls', [join(home, 'owned')]).status !== 0, true, 'nothing of theirs ran');

/** What bash offers where the cursor is. */
const inBash = async (line: string): Promise<string[]> => {
  const script = `
    eval "$(authserver completion bash)"
    COMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}; COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
    read -r -a COMP_WORDS <<< "$COMP_LINE"
    [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    _authserver
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await promisify(execFile)('bash', ['-c', script], { env: cleanEnvironment(env), cwd: home });
  return stdout.split('\n').filter((word) => word !== '');
};

test('bash completes names, beside commands, flags and fixed values', async () => {
  assert.deepEqual((await inBash('authserver admin client get --id ')).filter((id) => ids.includes(id)).sort(), ids);
  assert.deepEqual(await inBash(`authserver admin client get --id ${one.slice(0, 9)}`), [one]);
  assert.deepEqual(await inBash(`authserver admin client get --id=${one.slice(0, 9)}`), [one]);
  assert.deepEqual(await inBash('authserver admin resource get --json --slug my-m'), ['my-mcp']);
  assert.deepEqual(await inBash('authserver admin client list --status su'), ['suspended']);
  assert.deepEqual(await inBash('authserver context us'), ['use']);
  assert.deepEqual(await inBash('authserver context use p'), ['production']);
  assert.deepEqual(await inBash('authserver completion f'), ['fish']);
  assert.deepEqual(await inBash('authserver admin client get --id https://cl'), [harmless.slice('https:'.length)]);
  untouched();
});

const has = async (shell: string) => ((await findProgram([shell], [shell])) ? false : `there is no ${shell} here`);

test('fish completes names', { skip: await has('fish') }, async () => {
  const inFish = async (line: string): Promise<string[]> => {
    const script = `authserver completion fish | source; complete -C '${line}'`;
    const { stdout } = await promisify(execFile)('fish', ['--no-config', '-c', script], {
      env: cleanEnvironment(env),
      cwd: home,
    });
    return stdout.split('\n').slice(0, -1);
  };
  assert.deepEqual(await inFish(`authserver admin client get --id ${one.slice(0, 9)}`), [`${one}\tOne`]);
  assert.deepEqual(await inFish(`authserver admin client get --id=${one.slice(0, 9)}`), [`--id=${one}\tOne`]);
  assert.deepEqual(await inFish('authserver context use p'), [`production\t${server.adminUrl}`]);
  assert.deepEqual(await inFish('authserver admin client list --status su'), ['suspended\tonly these']);
  assert.match(
    (await inFish('authserver admin client get --id https://')).join(),
    /^https:\/\/client\.example\/metadata\.json\t/,
  );
  untouched();
});

test('zsh completes names', {
  skip:
    (await has('zsh')) || (spawnSync('script', ['--version']).status !== 0 && 'there is no script(1), so no terminal'),
}, async () => {
  /** Types at a zsh, presses tab, and says what the line became. */
  const inZsh = async (typed: string): Promise<string> => {
    const shell = spawn('script', ['-qec', 'zsh -f -i', '/dev/null'], {
      env: { ...cleanEnvironment(env), TERM: 'xterm', COLUMNS: '300' },
      cwd: home,
    });
    let screen = '';
    shell.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      screen += chunk;
    });
    const shows = async (text: RegExp) => {
      while (!text.test(screen)) await once(shell.stdout, 'data', { signal: AbortSignal.timeout(20_000) });
    };
    // What a tab made of the line is kept in a file by a widget, because a screen is hard to read.
    shell.stdin.write(`PS1='ready> '; autoload -Uz compinit; compinit -u -D; eval "$(authserver completion zsh)"
keep() { print -r -- "$BUFFER" > line; print done-$((40+2)); }; zle -N keep; bindkey '^X' keep; print set-$((40+2))\n`);
    await shows(/set-42[\s\S]*ready> /);
    shell.stdin.write(`${typed}\t`);
    shell.stdin.write('\u0018');
    await shows(/done-42/);
    const line = await readFile(join(home, 'line'), 'utf8');
    shell.kill(); // which hangs up on zsh
    return line.trim();
  };
  assert.equal(
    await inZsh(`authserver admin client get --id ${one.slice(0, 9)}`),
    `authserver admin client get --id ${one}`,
  );
  assert.equal(await inZsh('authserver context use p'), 'authserver context use production');
  assert.equal(
    await inZsh('authserver admin client get --id https://'),
    `authserver admin client get --id ${harmless}`,
  );
  untouched();
});
