import { Flags } from '@oclif/core';
import { CliCommand } from '../cli-command.ts';

/** Both planes in one process, or one of them. */
export class Serve extends CliCommand {
  static override summary = 'start the server';
  static override description =
    'Applies migrations, then serves the public endpoints (server.address) and the admin API (admin.address). With an empty configuration it makes what it needs under ./data: an embedded PostgreSQL, signing keys, a session secret and an admin API key. SIGTERM and SIGINT drain and stop; SIGHUP reloads the signing keys; SIGUSR2 renews the workers one after the other.';
  static override examples = [
    '<%= config.bin %> serve',
    '<%= config.bin %> serve --config /etc/authserver/config.yaml',
    '<%= config.bin %> serve --role token --workers 4',
  ];
  static override enableJsonFlag = false;
  static override flags = {
    'new-signing-keys': Flags.boolean({
      description: 'make signing keys although the old ones are lost; every access token issued so far is then refused',
    }),
    workers: Flags.integer({
      default: 1,
      min: 1,
      max: 256,
      helpValue: '<n>',
      description: 'token processes behind one port, for a machine with several processors',
    }),
    role: Flags.option({
      options: ['all', 'token', 'admin'] as const,
      default: 'all',
      summary: 'which plane to run',
    })(),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Serve);
    const { serve } = await import('../serve/serve.ts');
    await serve({
      configPath: flags.config,
      role: flags.role,
      newSigningKeys: flags['new-signing-keys'],
      workers: flags.workers,
      env: process.env,
    });
  }
}
