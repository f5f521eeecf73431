import { open } from 'node:fs/promises';
import { Flags } from '@oclif/core';
import { adminCommand } from '../../admin-command.ts';
import { confirm } from '../../confirm.ts';
import { readDeclarations } from '../../declarative/read-declarations.ts';
import { planLines, stepLines, sums } from '../../declarative/show-plan.ts';
import { toYaml, writeFiles } from '../../declarative/write-files.ts';
import { CommandFailure, exitCodes } from '../../failure.ts';
import { forceFlag, present, yesFlag } from '../../flags.ts';
import { follow } from '../../follow.ts';
import { pairs } from '../../output.ts';

const ownerFlag = (description: string) =>
  Flags.string({ description, env: 'AUTHPLANE_CONFIGURATION_OWNER', helpValue: '<label>' });

const questionFlags = {
  file: Flags.string({
    char: 'f',
    description: 'file with declarations, - for standard input, or a directory: every .yaml, .yml and .json file in it',
    multiple: true,
    multipleNonGreedy: true,
    required: true,
    helpValue: '<path>',
  }),
  owner: ownerFlag('label under which these files belong together; default when not given'),
  prune: Flags.boolean({ description: 'delete what these files declared before and do not any more' }),
  ...forceFlag(),
  'take-over': Flags.boolean({ description: 'also change what belongs to another owner, and own it from now on' }),
};

type Question = { owner?: string | undefined; prune: boolean; force: boolean; 'take-over': boolean };

const bodyOf = (configuration: object, { owner, prune, force, 'take-over': takeOver }: Question) => ({
  configuration,
  ...present({ owner }),
  ...{ prune, force, take_over: takeOver },
});

const exportCommand = adminCommand({
  summary: 'write down what is here as declarations, without secrets',
  description:
    'What is written can be kept in version control, edited and applied, here or to an empty server. Clients that registered themselves, accounts that live elsewhere and passwords are not part of it.',
  examples: ['admin export', 'admin export --to config/', 'admin export --owner team-a --to -'],
  operations: ['configuration.export'],
  flags: {
    to: Flags.string({
      description: 'directory for a file of each kind, - for standard output',
      default: '-',
      helpValue: '<dir>',
    }),
    owner: ownerFlag('only what belongs to this owner'),
    force: Flags.boolean({ description: 'replace the files of an earlier export' }),
  },
  async call(api, { owner, to, force }) {
    const { configuration, warnings } = await api.configuration.export({ query: present({ owner }) });
    for (const warning of warnings) process.stderr.write(`warning: ${warning.replace(/\p{Cc}/gu, '?')}\n`);
    if (to !== '-') await writeFiles(to, configuration, { force });
    return configuration;
  },
  show(configuration, { to }) {
    if (to === '-') return toYaml(configuration).trimEnd().split('\n');
    return Object.entries(configuration).map(
      ([list, all]) => `exported: ${pairs({ file: `${to}/${list}.yaml`, count: all.length })}`,
    );
  },
});

const plan = adminCommand({
  summary: 'show what applying declarations would do, and what was changed by hand since',
  description:
    'Nothing is changed. Everything is tried to the end and undone, so whatever would stand in the way of applying is named, all at once.',
  examples: ['admin plan -f config/', 'admin plan -f config/ --prune --detailed-exitcode', 'admin plan -f - --json'],
  operations: ['configuration.plan'],
  flags: {
    ...questionFlags,
    'detailed-exitcode': Flags.boolean({
      description: 'end with 0 when there is nothing to do, 2 when there is, 1 on errors',
    }),
  },
  async call(api, flags, { progress }) {
    const { lists, explained } = await readDeclarations(flags.file);
    const bar = follow('planning', progress);
    const result = await explained(() =>
      api.configuration.plan({ body: bodyOf(lists, flags), onProgress: bar.onProgress }),
    ).finally(bar.done);
    if (flags['detailed-exitcode'] && result.steps.length > 0) process.exitCode = 2;
    return result;
  },
  show: planLines,
});

const apply = adminCommand({
  summary: 'make everything as it is declared, or nothing',
  description:
    'At a terminal the plan is shown first, and whether to go on is asked. Secrets of new clients are shown this once, unless the file names where they are: client_secret_ref: env:NAME or file:PATH.',
  examples: [
    'admin apply -f config/',
    'admin apply -f config/ --prune --owner team-a --yes',
    'admin apply -f config/ --plan <plan>',
  ],
  operations: ['configuration.plan', 'configuration.apply'],
  flags: {
    ...questionFlags,
    ...yesFlag(),
    'dry-run': Flags.boolean({ description: 'show the plan and change nothing' }),
    plan: Flags.string({
      description: 'what `admin plan` showed as plan: refuse when something else would be done by now',
      helpValue: '<plan>',
    }),
    secrets: Flags.string({
      description: 'new file, readable by you alone, for the secrets of new clients, instead of showing them',
      helpValue: '<path>',
    }),
  },
  async call(api, flags, { progress }) {
    const { lists, explained } = await readDeclarations(flags.file);
    const body = bodyOf(lists, flags);
    const asks = !flags.yes && process.stdin.isTTY && process.stderr.isTTY;
    let expected = flags.plan;
    if (asks || flags['dry-run']) {
      const bar = follow('planning', progress);
      const planned = await explained(() => api.configuration.plan({ body, onProgress: bar.onProgress })).finally(
        bar.done,
      );
      if (flags['dry-run']) return { ...planned, secrets: [], done: false };
      for (const line of planLines(planned)) process.stderr.write(`${line}\n`);
      if (planned.steps.length > 0) await confirm('Apply this plan');
      expected ??= planned.plan;
    }
    // Before anything is done: a secret that cannot be kept would be lost.
    const file = flags.secrets === undefined ? undefined : await openSecretFile(flags.secrets);
    const bar = follow('applying', progress);
    try {
      const applied = await explained(() =>
        api.configuration.apply({ body: { ...body, ...present({ plan: expected }) }, onProgress: bar.onProgress }),
      ).finally(bar.done);
      if (!file) {
        // With --quiet nothing else would show them, and they would be lost.
        if ((flags as { quiet?: boolean }).quiet)
          for (const secret of applied.secrets) process.stdout.write(`${pairs(secret)}\n`);
        return { ...applied, done: true };
      }
      await file.writeFile(applied.secrets.map((secret) => `${pairs(secret)}\n`).join(''));
      return { ...applied, secrets: [], done: true };
    } finally {
      await file?.close();
    }
  },
  show({ done, ...result }) {
    if (!done) return planLines(result);
    return [
      ...stepLines(result),
      ...result.secrets.map((secret) => `secret: ${pairs(secret)}`),
      `applied: ${pairs({ owner: result.owner, ...sums(result) })}`,
    ];
  },
  remark: ({ secrets }) =>
    secrets.length > 0 ? 'The secrets are shown this once; only their hashes are kept.' : undefined,
});

const openSecretFile = (path: string) =>
  open(path, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'EEXIST' ? 'is there already' : cause.message;
    throw new CommandFailure('usage', exitCodes.usage, `--secrets: ${path} ${why}`, { cause });
  });

export const declarativeCommands = {
  'admin:export': exportCommand,
  'admin:plan': plan,
  'admin:apply': apply,
};
