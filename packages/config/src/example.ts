import { stringify } from 'yaml';
import { ConfigSchema } from './schema.ts';
import { type Setting, settingsOf } from './settings.ts';

const introduction = `## Every setting with its default. Generated from packages/config by \`pnpm generate\`; do not edit.
## To use one, remove the leading "# " of its line and of the groups above it. Lines with ## stay comments.
## Environment variables, named beside each setting, override this file. See configuration.md.`;

/** Entries worth showing, for the lists whose default is empty. */
export const sampleEntries = {
  resources: [
    {
      slug: 'my-mcp',
      uri: 'https://mcp.example.com/mcp',
      backend_kind: 'mint',
      display_name: 'My MCP server',
      scopes: [{ name: 'tools/read', description: 'Read tools', default: true }, { name: 'tools/write' }],
      policy: { runtime: { client_ids: ['my-mcp-server'] } },
    },
  ],
  broker_providers: [
    {
      slug: 'github',
      display_name: 'GitHub',
      protocol: 'oauth',
      config_data: {
        client_id: 'id-at-github',
        client_secret_ref: 'CONNECTOR_GITHUB_SECRET',
        authorize_url: 'https://github.com/login/oauth/authorize',
        token_url: 'https://github.com/login/oauth/access_token',
      },
    },
  ],
} as const;

/** The annotated file, `docs/config.example.yaml`: everything commented out, so as it stands it changes nothing. */
export function renderExample(): string {
  const lines = [introduction];
  let open: readonly string[] = []; // the groups the previous setting was in
  for (const setting of settingsOf(ConfigSchema)) {
    const groups = setting.path.slice(0, -1);
    const shared = groups.findIndex((name, depth) => name !== open[depth]);
    const firstNew = shared === -1 ? groups.length : shared;
    if (firstNew === 0) lines.push('');
    for (let depth = firstNew; depth < groups.length; depth++) lines.push(`# ${'  '.repeat(depth)}${groups[depth]}:`);
    lines.push(...entryLines(setting, '  '.repeat(groups.length)));
    open = groups;
  }
  return `${lines.join('\n')}\n`;
}

function entryLines(setting: Setting, indent: string): string[] {
  const { description, reserved, env, secret, fallback, path } = setting;
  const name = path.at(-1) ?? '';
  const prose = [
    `${description}${reserved ? ' Reserved: no effect in this release.' : ''}`,
    ...(env ? [`${env}${secret ? `, ${env}_FILE, or ${name}_file` : ''}`] : []),
    ...sampleLines(name),
  ];
  const value =
    fallback === undefined || secret ? '' : ` ${JSON.stringify(fallback).replace(/^"([A-Za-z0-9][\w./-]*)"$/, '$1')}`;
  return [...prose.map((line) => `## ${indent}${line}`), `# ${indent}${name}:${value}`];
}

function sampleLines(name: string): string[] {
  if (!Object.hasOwn(sampleEntries, name)) return [];
  const sample = { [name]: sampleEntries[name as keyof typeof sampleEntries] };
  return [
    'For instance:',
    ...stringify(sample)
      .trimEnd()
      .split('\n')
      .map((line) => `  ${line}`),
  ];
}
