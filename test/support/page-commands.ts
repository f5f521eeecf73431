import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { AuthServer } from './auth-server.ts';
import { runCli } from './command-line.ts';
import { root } from './source-files.ts';
import { TestApp } from './test-app.ts';

type Made = {
  id?: string;
  client_id?: string;
  client_secret?: string;
  token_endpoint_auth_method?: TestApp['authMethod'];
  redirect_uris?: string[];
};

/** The words of a command, as a shell would part them. */
const wordsOf = (command: string): string[] =>
  [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? '',
  );

/** The first block of settings under a heading of a page, with the words that `known` replaces. */
export const settingsOf = (page: string, heading: string, known: Map<string, string>): Record<string, unknown> => {
  const [, under = ''] = readFileSync(join(root, page), 'utf8').split(`# ${heading}\n`);
  const [, block = ''] = /^```yaml\n([^`]+)^```$/m.exec(under) ?? [];
  assert.ok(block, `no settings under "${heading}" in ${page}`);
  return parse([...known].reduce((text, [word, by]) => text.replaceAll(word, by), block));
};

/**
 * Runs the first block of commands under a heading of a page as an operator would, and returns the clients they made, by
 * name. What stands in angle brackets is what an earlier command answered; `known` replaces further words.
 */
export const followPage = async (
  server: AuthServer,
  page: string,
  heading: string,
  known = new Map<string, string>(),
): Promise<Record<string, TestApp>> => {
  const [, under = ''] = readFileSync(join(root, page), 'utf8').split(`# ${heading}\n`);
  const [, block = ''] = /^```sh\n([^`]+)^```$/m.exec(under) ?? [];
  assert.ok(block, `no commands under "${heading}" in ${page}`);
  const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
  const apps: Record<string, TestApp> = {};
  for (const command of block.replaceAll('\\\n', ' ').trim().split('\n')) {
    const [program, ...words] = wordsOf(command).map((word) => known.get(word) ?? word);
    assert.equal(program, 'authserver');
    const { code, stdout, stderr } = await runCli([...words, '--json'], { env });
    assert.equal(code, 0, `${command}\n${stderr}`);
    const made = JSON.parse(stdout) as Made;
    if (words[1] === 'idp') known.set('<idp_id>', made.id ?? '');
    if (made.client_id) {
      const name = words[words.indexOf('--name') + 1] ?? '';
      known.set('<client_id>', made.client_id); // of a page that has one client
      known.set(`<${name.toLowerCase().replaceAll(' ', '_')}_client_id>`, made.client_id);
      apps[name] = new TestApp([server.issuer], {
        clientId: made.client_id,
        clientSecret: made.client_secret,
        authMethod: made.token_endpoint_auth_method ?? 'none',
        redirectUris: made.redirect_uris ?? [],
      });
    }
  }
  return apps;
};
