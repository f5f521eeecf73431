import { Flags } from '@oclif/core';
import { CliCommand } from '../cli-command.ts';
import type { Finding } from '../doctor/finding.ts';
import { usageFailure } from '../failure.ts';

type Result = { findings: Finding[]; problems: number };

const marks = { ok: 'ok     ', warning: 'warning', problem: 'PROBLEM' };

export class Doctor extends CliCommand {
  static override summary = 'look for what keeps this server from working, or a client from getting in';
  static override description =
    `Without addresses it looks at this server: configuration, database, migrations, signing keys,
data encryption, clocks, Redis, NATS, and what clients find at its issuer. With --issuer or --mcp-server it looks at those, whoever made them,
and takes the first steps of Claude, ChatGPT, Cursor, VS Code and the MCP Inspector there. Each line names the
side that has to do something. Nothing is registered, changed or signed in. Exit code 1 when there is a problem.`;
  static override examples = [
    '<%= config.bin %> doctor --config /etc/authserver/config.yaml',
    '<%= config.bin %> doctor --mcp-server https://mcp.example.com/mcp',
    '<%= config.bin %> doctor --issuer https://auth.example.com --mcp-server https://mcp.example.com/mcp --json',
  ];
  static override flags = {
    issuer: Flags.string({ description: 'issuer of any authorization server', helpValue: '<url>' }),
    'mcp-server': Flags.string({ description: 'address of any MCP server', helpValue: '<url>', aliases: ['mcp'] }),
  };

  async run(): Promise<Result> {
    const { flags } = await this.parse(Doctor);
    const issuer = address(flags.issuer, '--issuer');
    const mcpServer = address(flags['mcp-server'], '--mcp-server');
    const findings: Finding[] = [];
    const tell = (found: readonly Finding[]): void => {
      findings.push(...found);
      for (const { side, status, detail, remedy } of found) {
        this.log('%s  %s: %s', marks[status], side, visible(detail));
        if (remedy !== undefined) this.log('         → %s', visible(remedy));
      }
    };

    const own = flags.config !== undefined || (issuer === undefined && mcpServer === undefined);
    const [{ lookAtConfiguration, lookAtMachine }, { lookAtNetwork }] = await Promise.all([
      import('../doctor/local.ts'),
      import('../doctor/network.ts'),
    ]);
    let configured: string | undefined;
    if (own) {
      const { findings: found, config } = await lookAtConfiguration(flags.config, process.env);
      tell(found);
      if (config) tell(await lookAtMachine(config, process.env));
      configured = config?.server.issuer;
    }
    await lookAtNetwork({ issuer: issuer ?? (mcpServer === undefined ? configured : undefined), mcpServer }, tell);

    const problems = findings.filter(({ status }) => status === 'problem').length;
    this.log('%s', problems === 0 ? 'no problem found' : `${problems} problem${problems === 1 ? '' : 's'} found`);
    if (problems > 0) process.exitCode = 1;
    return { findings, problems };
  }
}

const address = (text: string | undefined, flag: string): string | undefined => {
  if (text !== undefined && !/^https?:$/.test(URL.parse(text)?.protocol ?? ''))
    throw usageFailure(`${flag} expects an http or https URL`);
  return text;
};

/** Details quote what strangers' servers say; none of it may command the terminal. */
const visible = (text: string): string => text.replace(/[^\P{C}\n]/gu, '�').replaceAll('\n', '\n         ');
