import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, tether } from '@authserver/cli/embedded-postgres';
import { findProgram } from './programs.ts';
import { root } from './source-files.ts';

const [prometheus, promtool] = [
  await findProgram(['prometheus'], ['prometheus']),
  await findProgram(['promtool'], ['prometheus']),
];

/** Why a test that needs Prometheus cannot run. */
export const noPrometheus =
  prometheus === undefined || promtool === undefined ? 'there is no prometheus with promtool on PATH' : false;

export const promtoolFile = promtool ?? 'promtool';

/** Where our rules are. */
export const rulesDirectory = join(root, 'deploy/prometheus');

export type Series = { metric: Record<string, string>; value: [seconds: number, value: string] };
export type Alert = {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  state: 'pending' | 'firing';
};

const START_TIMEOUT_MS = 20_000;

/**
 * A real Prometheus that scrapes every second, with the rules of deploy/prometheus. Targets are `host:port` by job.
 * `change` is given the text of each rule file, for what no test can wait for. Whoever starts it stops it.
 */
export const startPrometheus = async (options: {
  targets: Readonly<Record<string, readonly string[]>>;
  change?: (rules: string) => string;
}) => {
  const directory = await mkdtemp(join(tmpdir(), 'authserver-prometheus-'));
  const { change = (rules) => rules } = options;
  const files = ['recording.yaml', 'alerts.yaml'];
  for (const file of files)
    await writeFile(join(directory, file), change(await readFile(join(rulesDirectory, file), 'utf8')));
  const configuration = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: files,
    scrape_configs: Object.entries(options.targets).map(([job, targets]) => ({
      job_name: job,
      static_configs: [{ targets }],
    })),
  };
  await writeFile(join(directory, 'prometheus.yml'), JSON.stringify(configuration)); // JSON is YAML
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const program = tether(
    prometheus ?? 'prometheus',
    [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { signal: 'TERM', env: { PATH: process.env.PATH, TZ: 'UTC' } },
  );
  const stop = async (): Promise<void> => {
    await program.stop();
    await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  const get = async <T>(path: string, parameters: Record<string, string> = {}): Promise<T> => {
    const answer = await fetch(`${url}${path}`, { method: 'POST', body: new URLSearchParams(parameters) });
    const body = (await answer.json()) as { status: string; data: T; error?: string };
    if (body.status !== 'success') throw new Error(`${body.error} in ${JSON.stringify(parameters)}`);
    return body.data;
  };
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (
    !(await fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (program.hasExited() || Date.now() > deadline) {
      await stop();
      throw new Error(`prometheus did not start: ${program.output()}`);
    }
    await sleep(50);
  }
  return {
    url,
    stop,
    /** The series of an expression now. @throws with the words of Prometheus when it is none */
    query: async (expression: string): Promise<Series[]> =>
      (await get<{ result: Series[] }>('/api/v1/query', { query: expression })).result,
    alerts: async (): Promise<Alert[]> => {
      const answer = await fetch(`${url}/api/v1/alerts`);
      return ((await answer.json()) as { data: { alerts: Alert[] } }).data.alerts;
    },
  };
};
export type Prometheus = Awaited<ReturnType<typeof startPrometheus>>;
