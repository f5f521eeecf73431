import type { Config } from '@oclif/core';
import { operationsOf } from '../admin-commands.ts';
import { CliCommand } from '../cli-command.ts';
import type { Named, NameSource } from '../completion/names.ts';

const timeoutMs = 2000;

/**
 * What the completion scripts call: given the words of a command line after `--`, it prints what the last one may be. It
 * never fails and never asks; where there is no answer in time there is none. A configuration alone is not a server: to
 * complete a word no database is opened.
 */
export class Complete extends CliCommand {
  static override hidden = true;
  static override strict = false;
  static override enableJsonFlag = false;
  static override summary = 'print the names that may come next';
  static override examples = ['<%= config.bin %> __complete -- admin client get --id ""'];

  async run(): Promise<void> {
    const { argv } = await this.parse(Complete);
    const words = argv.map(String);
    const late = setTimeout(() => process.exit(0), timeoutMs);
    late.unref();
    try {
      const { candidates } = await import('../completion/names.ts');
      process.stdout.write(candidates(await namesFor(words, this.config), words.at(-1) ?? ''));
    } catch {
      // A shell shows nothing, and that is what there is.
    } finally {
      clearTimeout(late);
    }
  }

  protected override async catch(): Promise<void> {}
}

const namesFor = async (words: readonly string[], config: Config): Promise<Named[]> => {
  const source = await sourceFor(words, config);
  if (source?.kind === 'contexts') {
    const { readContexts } = await import('../contexts/file.ts');
    const { contexts } = await readContexts(process.env);
    return Object.entries(contexts).map(([value, { admin_url }]) => ({ value, about: admin_url }));
  }
  if (source?.kind === 'audit-actions') {
    const { auditActions } = await import('@authserver/telemetry');
    return Object.entries(auditActions).map(([value, about]) => ({ value, about: String(about) }));
  }
  return source ? fromServer(source, words) : [];
};

const sourceFor = async (words: readonly string[], config: Config): Promise<NameSource | undefined> => {
  const before = words.at(-2) ?? '';
  const firstFlag = words.findIndex((word) => word.startsWith('-'));
  const path = (firstFlag < 0 ? words.slice(0, -1) : words.slice(0, firstFlag)).join(':');
  if (/^context:(use|show|remove)$/.test(path)) return { kind: 'contexts' };
  if (!before.startsWith('--')) return undefined;
  const command = await config.findCommand(path)?.load();
  const { sourceOf } = await import('../completion/names.ts');
  return command && sourceOf(before.slice('--'.length), operationsOf(command));
};

const fromServer = async (
  source: Extract<NameSource, { kind: 'entity' }>,
  words: readonly string[],
): Promise<Named[]> => {
  const [{ chooseTarget }, { sendOverHttp }, { createAdminClient }, { namesFrom }] = await Promise.all([
    import('../contexts/target.ts'),
    import('../http-transport.ts'),
    import('@authserver/admin-api'),
    import('../completion/names.ts'),
  ]);
  const env = process.env;
  const typed = (flag: string) => {
    const at = words.indexOf(`--${flag}`);
    return at < 0 ? undefined : words[at + 1];
  };
  const given = new Set(['admin-url', 'context', 'config'].filter((flag) => typed(flag) !== undefined));
  const target = await chooseTarget({
    flags: {
      adminUrl: typed('admin-url') ?? env.AUTHPLANE_ADMIN_URL,
      context: typed('context') ?? env.AUTHPLANE_CONTEXT,
      config: typed('config') ?? env.AUTHPLANE_CONFIG,
    },
    given,
    env,
  });
  if (target.kind === 'in-process') return [];
  const { adminUrl } = target;
  const apiKey = await target.findKey();
  return namesFrom(source, createAdminClient({ transport: (request) => sendOverHttp(request, { adminUrl, apiKey }) }));
};
