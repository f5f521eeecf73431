import { CliCommand } from '../cli-command.ts';
import { CommandFailure, exitCodes } from '../failure.ts';
import { pairs } from '../output.ts';

type Result = { keys: { kid: string; alg: string; status: string }[] };

export class ImportKeys extends CliCommand {
  static override summary = 'copy the signing keys from files into the database, encrypted';
  static override description = `For moving from signing.key_store keyfile to another: reads signing.key_path and needs
data_encryption. The files stay as they are, and servers that use them go on; docs/signing-keys.md has the steps. Refused
when the database has signing keys already. Migrations are not applied.`;
  static override examples = ['<%= config.bin %> import-keys --config /etc/authserver/config.yaml'];

  async run(): Promise<Result> {
    const { flags } = await this.parse(ImportKeys);
    const [{ loadConfig }, { openConfiguredDatabase }, { importSigningKeys }] = await Promise.all([
      import('@authserver/config'),
      import('../serve/database.ts'),
      import('@authserver/boot'),
    ]);
    const { config } = loadConfig({ path: flags.config, env: process.env });
    const database = await openConfiguredDatabase(config, () => {}, false);
    try {
      const { dsn } = database;
      const records = await importSigningKeys({ config, dsn, env: process.env, now: new Date() }).catch((error) => {
        throw failure((error as Error).message);
      });
      const keys = records.map(({ kid, alg, state }) => ({ kid, alg, status: state }));
      for (const key of keys) this.log('key imported: %s', pairs(key));
      return { keys };
    } finally {
      await database.stop();
    }
  }
}

const failure = (message: string): CommandFailure => new CommandFailure('failure', exitCodes.failure, message);
