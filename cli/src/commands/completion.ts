import { Args, type Command } from '@oclif/core';
import { operationsOf } from '../admin-commands.ts';
import { CliCommand } from '../cli-command.ts';
import { fishCompletion } from '../completion/fish.ts';
import { sourceOf } from '../completion/names.ts';
import { bashCompletion, zshCompletion } from '../completion/posix.ts';
import type { CompletableCommand } from '../completion/words.ts';

const shells = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

export class Completion extends CliCommand {
  static override summary = 'print a script that teaches a shell to complete commands and flags';
  static override description = `Evaluate it where the shell starts:

- ~/.bashrc: eval "$(authserver completion bash)"
- ~/.zshrc, after compinit: eval "$(authserver completion zsh)"
- ~/.config/fish/config.fish: authserver completion fish | source`;
  static override examples = ['<%= config.bin %> completion bash'];
  static override enableJsonFlag = false;
  static override args = {
    shell: Args.string({ description: 'the shell', options: Object.keys(shells), required: true }),
  };

  async run(): Promise<void> {
    const { args } = await this.parse(Completion);
    const shell = args.shell as keyof typeof shells;
    const commands = this.config.commands.filter(({ hidden }) => !hidden);
    process.stdout.write(shells[shell](this.config.bin, await Promise.all(commands.map(completable))));
  }
}

const completable = async (command: Command.Loadable): Promise<CompletableCommand> => {
  const { id, summary, flags, args } = command;
  const operations = operationsOf(await command.load());
  return {
    path: id.replaceAll(':', ' '),
    summary: summary ?? '',
    flags: Object.entries(flags).map(([name, flag]) => ({
      name,
      description: flag.summary ?? flag.description ?? '',
      takesValue: flag.type === 'option',
      options: flag.type === 'option' ? (flag.options ?? []) : [],
      named: flag.type === 'option' && sourceOf(name, operations) !== undefined,
    })),
    ...argumentOf(id, Object.values(args)[0]),
  };
};

const argumentOf = (id: string, arg: { options?: readonly string[] | undefined } | undefined) => {
  const named = /^context:(use|show|remove)$/.test(id);
  return arg && (named || arg.options) ? { argument: { options: arg.options ?? [], named } } : {};
};
