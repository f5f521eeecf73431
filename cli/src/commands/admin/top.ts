import { setTimeout as pause } from 'node:timers/promises';
import { styleText } from 'node:util';
import { parseDuration } from '@authserver/config';
import { Flags } from '@oclif/core';
import { AdminCommand } from '../../admin-command.ts';
import { CliCommand } from '../../cli-command.ts';
import type { TargetChoice } from '../../contexts/target.ts';
import { CommandFailure, exitCodes, usageFailure } from '../../failure.ts';
import type { Paint } from '../../top/columns.ts';
import type { Frame } from '../../top/frame.ts';

const { 'admin-url': adminUrl, context } = AdminCommand.baseFlags;
const [shortest, longest] = [0.25, 3600];
/** Rates of a shorter time jump about. */
const calmSeconds = 10;
/** Where nobody says how wide a line may be. */
const withoutTerminal = { columns: 120 };
/** The first rates come sooner. */
const firstPauseMs = 1_000;

export class Top extends CliCommand {
  static override summary = 'watch requests, tokens, denials and pods, live';
  static override description =
    `Reads /metrics of every pod and shows rates and latencies by endpoint, tokens by grant, denials by reason, and for each
pod its uptime, event loop, memory, and how many changes it is behind the newest. q or Ctrl-C ends it. A pod that does not
answer is shown as down and asked again. Without --pod it is the admin server, whose page is also that of the token plane
beside it. No key is needed or sent: the ports that serve metrics are for operators only.
Where standard output is no terminal, or with --once or --json, it looks twice, --interval apart, and prints what happened
between.`;
  static override examples = [
    '<%= config.bin %> admin top',
    '<%= config.bin %> admin top --pod token-internal.auth.svc --pod http://admin.auth.svc:9001',
    '<%= config.bin %> admin top --pod 10.0.0.7:9002 --json --interval 10s',
  ];
  static override baseFlags = { ...CliCommand.baseFlags, 'admin-url': adminUrl, context };
  static override flags = {
    pod: Flags.string({
      description:
        'where /metrics of a pod is: a URL, or a host, with port 9002 unless it says another; a name stands for all its addresses; may be repeated',
      helpValue: '<url>',
      multiple: true,
    }),
    interval: Flags.string({ description: 'time between two looks', helpValue: '<span>', default: '2s' }),
    once: Flags.boolean({ description: 'print one page as text, and end' }),
    'no-color': Flags.boolean({ description: 'no colours; as with NO_COLOR in the environment' }),
  };

  async run(): Promise<Frame> {
    const { flags, raw } = await this.parse(Top);
    const given = new Set(raw.flatMap((token) => (token.type === 'flag' ? [token.flag] : [])));
    const intervalMs = intervalOf(flags.interval) * 1000;
    const [{ parsePod }, { createWatch }, { frameOf }, { renderPage }] = await Promise.all([
      import('../../top/pods.ts'),
      import('../../top/watch.ts'),
      import('../../top/frame.ts'),
      import('../../top/page.ts'),
    ]);
    const { config, 'admin-url': url, context: name } = flags;
    const urls = flags.pod
      ? flags.pod.map(parsePod)
      : [await metricsOfAdmin({ flags: { config, adminUrl: url, context: name }, given, env: process.env })];
    const isLive = process.stdout.isTTY && !flags.once && !this.jsonEnabled();
    const watch = createWatch(urls, calmSeconds);
    const first = await watch.look();
    if (first.pods.every(({ reading }) => reading === undefined)) throw nobodyAnswers(frameOf(first));

    if (isLive) {
      const { watchLive } = await import('../../top/live.ts');
      const paint = process.env.NO_COLOR || flags['no-color'] ? uncoloured : coloured;
      return watchLive({ watch, first, intervalMs, firstPauseMs: Math.min(intervalMs, firstPauseMs), paint });
    }
    await pause(intervalMs);
    const frame = frameOf(await watch.look());
    const { isTTY, columns } = process.stdout;
    for (const line of renderPage(frame, isTTY && columns ? { columns } : withoutTerminal, uncoloured))
      this.log('%s', line.trimEnd());
    return frame;
  }
}

const intervalOf = (text: string): number => {
  const seconds = parseDuration(text);
  if (seconds !== undefined && seconds >= shortest && seconds <= longest) return seconds;
  throw usageFailure(`--interval expects a span from ${shortest * 1000}ms to ${longest / 3600}h, such as 2s`);
};

/** Where the admin server that commands go to has its metrics. */
const metricsOfAdmin = async (choice: TargetChoice): Promise<URL> => {
  const { chooseTarget } = await import('../../contexts/target.ts');
  const target = await chooseTarget(choice);
  if (target.kind === 'http') return new URL(`${target.adminUrl.pathname.replace(/\/$/, '')}/metrics`, target.adminUrl);
  const { loadConfig, parseAddress } = await import('@authserver/config');
  const { config } = loadConfig({ env: choice.env, path: target.configPath });
  const { host = 'localhost', port } = parseAddress(config.admin.address);
  return new URL(config.observability.metrics.path, `http://${host.includes(':') ? `[${host}]` : host}:${port}`);
};

const nobodyAnswers = ({ pods }: Frame): CommandFailure => {
  const reasons = pods.map((line) => (line.status === 'down' ? `${line.pod}: ${line.reason}` : line.pod));
  return new CommandFailure('unreachable', exitCodes.failure, `no pod shows its metrics (${reasons.join('; ')})`);
};

const coloured: Paint = (style, text) => styleText(style, text, { validateStream: false });
const uncoloured: Paint = (_style, text) => text;
