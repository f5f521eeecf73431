import { Args } from '@oclif/core';
import { CliCommand } from '../cli-command.ts';
import { fishCompletion } from '../completion/fish.ts';
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
    process.stdout.write(shells[shell](this.config.bin, this.completable()));
  }

  private completable(): CompletableCommand[] {
    return this.config.commands
      .filter(({ hidden }) => !hidden)
      .map(({ id, summary, flags }) => ({
        path: id.replaceAll(':', ' '),
        summary: summary ?? '',
        flags: Object.entries(flags).map(([name, flag]) => ({
          name,
          description: flag.summary ?? flag.description ?? '',
          takesValue: flag.type === 'option',
          options: flag.type === 'option' ? (flag.options ?? []) : [],
        })),
      }));
  }
}
