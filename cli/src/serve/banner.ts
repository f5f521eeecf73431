import { type Config, isScraped } from '@authserver/config';
import { version } from '@authserver/telemetry';

/** How the CLI is called from a checkout, and from an installation. */
export const cliName = (env: NodeJS.ProcessEnv): string =>
  env.npm_lifecycle_event !== undefined ? 'npm run -s authserver --' : 'authserver';

export type Step = { title: string; command: string };

/** What a person types next, in order. The same commands are on the start page and in the README. */
export const nextSteps = (cli: string): Step[] => [
  {
    title: 'Create a user who can sign in',
    command: `${cli} admin user create --email you@example.com --name "You"`,
  },
  {
    title: 'Register the MCP server to protect',
    command: `${cli} admin resource create --slug my-mcp --uri http://localhost:3000/mcp --scopes 'tools/read||Read tools' --scopes 'tools/write||Change things'`,
  },
  { title: 'Start a sample MCP server', command: 'npm run sample:server' },
  { title: 'Connect to it with the official MCP client', command: 'npm run sample:client' },
];

export type Banner = {
  config: Config;
  publicPort: number | undefined;
  adminPort: number | undefined;
  /** Where a process without the admin role serves metrics and health. */
  internalAddress: string | undefined;
  /** Shown only when it was generated just now. */
  newAdminKey: { value: string; file: string } | undefined;
  warnings: readonly string[];
  steps: readonly Step[];
  seconds: number;
};

/** The lines `serve` prints when it is ready. */
export const renderBanner = (banner: Banner): string => {
  const { config } = banner;
  const lines = [`authserver ${version} is ready (${banner.seconds.toFixed(1)} s)`, ''];
  if (banner.publicPort !== undefined) {
    lines.push(`  issuer        ${config.server.issuer}`);
    lines.push(`  metadata      ${metadataUrl(config.server.issuer)}`);
  }
  if (banner.adminPort !== undefined) {
    lines.push(`  admin API     http://localhost:${banner.adminPort}/admin`);
    if (isScraped(config))
      lines.push(`  metrics       http://localhost:${banner.adminPort}${config.observability.metrics.path}`);
  }
  if (banner.internalAddress !== undefined) lines.push(`  internal      ${banner.internalAddress} (metrics, health)`);
  lines.push(`  database      ${databaseName(config)}`);
  if (banner.newAdminKey)
    lines.push(
      '',
      `  admin API key ${banner.newAdminKey.value}`,
      `                shown this once; kept in ${banner.newAdminKey.file}, where the CLI finds it`,
    );
  for (const warning of banner.warnings) lines.push('', `  note: ${warning}`);
  if (banner.steps.length > 0) lines.push('', 'Next:');
  banner.steps.forEach((step, index) => {
    lines.push('', `  ${index + 1}. ${step.title}`, `     ${step.command}`);
  });
  return `${lines.join('\n')}\n`;
};

const metadataUrl = (issuer: string): string => {
  const { origin, pathname } = new URL(issuer);
  return `${origin}/.well-known/oauth-authorization-server${pathname === '/' ? '' : pathname}`;
};

const databaseName = (config: Config): string =>
  config.storage.driver === 'embedded' ? `embedded PostgreSQL in ${config.storage.embedded.path}` : 'PostgreSQL';
