import { CliCommand } from '../cli-command.ts';
import { readVersion, type Version, versionLine } from '../version.ts';

/** `bin/authserver.js` answers the plain forms without loading this; here is the help page. */
export class ShowVersion extends CliCommand {
  static override summary = 'print version, commit and build time';
  static override examples = ['<%= config.bin %> version'];

  async run(): Promise<Version> {
    await this.parse(ShowVersion);
    const version = readVersion();
    this.log('%s', versionLine(version));
    return version;
  }
}
