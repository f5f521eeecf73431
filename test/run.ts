/**
 * Runs the tests: `node test/run.ts [--unit] [part of a file name …]`.
 * Finds or starts the services once, runs every file in a process of its own, and ends with `N passed, N failed`.
 * Exit code 1 when something failed or nothing ran, and in CI also when something was skipped.
 */
import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { report } from './support/reporter.ts';
import { nats, postgres, redis, stopServices } from './support/services.ts';

const TEST_TIMEOUT_MS = 120_000;
/** A file that blocks its own event loop cannot time out by itself; it is killed after this. */
const FILE_TIMEOUT_MS = 300_000;
/** A test process that is made to exit loses what still waits in its pipe to us: results of tests. So nothing may wait. */
const blockingOutput = 'data:text/javascript,process.stdout._handle?.setBlocking?.(true)';

/** What the tests need besides our own processes. */
const needs: ('postgres' | 'nats' | 'redis')[] = ['postgres', 'redis'];

const beside = ['packages/*/src', 'services/*', 'cli/src', 'test/support'].map((path) => `${path}/**/*.test.ts`);
const contracts = ['test/contracts/**/*.test.ts'];
const features = ['test/{features,conformance,fuzz}/**/*.test.ts'];

function testFiles(args: string[]): string[] {
  const patterns = args.includes('--unit') ? [...beside, ...contracts] : [...beside, ...contracts, ...features];
  const filters = args.filter((arg) => !arg.startsWith('--'));
  const files = globSync(patterns, { exclude: (path) => path.endsWith('node_modules') });
  return files.filter((file) => filters.length === 0 || filters.some((part) => file.includes(part))).sort();
}

/** Passes the services on to the test files, which are child processes. */
async function findServices(): Promise<void> {
  if (needs.includes('postgres')) process.env.TEST_PG_URL = (await postgres()).adminDsn;
  if (needs.includes('nats')) process.env.TEST_NATS_URL = (await nats()).url;
  if (needs.includes('redis')) process.env.TEST_REDIS_URL = (await redis()).url;
}

/** Kills a test process that overstays, and all of them when we are told to stop. */
function watchProcesses(): void {
  const running = new Set<ChildProcess>();
  subscribe('child_process', (message) => {
    const { process: child } = message as { process: ChildProcess };
    const timer = setTimeout(() => child.kill('SIGKILL'), FILE_TIMEOUT_MS);
    running.add(child);
    child.once('exit', () => {
      clearTimeout(timer);
      running.delete(child);
    });
  });
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, async () => {
      for (const child of running) child.kill('SIGKILL');
      await stopServices();
      process.exit(code);
    });
  }
}

async function main(args: string[]): Promise<number> {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)));
  const inCi = !['', '0', 'false'].includes(process.env.CI ?? '');
  await findServices();
  watchProcesses();
  const events = run({
    files: testFiles(args).map((file) => resolve(file)),
    isolation: 'process',
    concurrency: availableParallelism(),
    // Flags of each test process. The options of run() would make this process exit before the report is written.
    execArgv: ['--test-force-exit', `--test-timeout=${TEST_TIMEOUT_MS}`, '--import', blockingOutput],
  });
  const tally = { passed: 0, failed: 0, skipped: 0 };
  for await (const text of report(events, tally)) process.stdout.write(text);
  await stopServices();
  return tally.failed > 0 || tally.passed === 0 || (inCi && tally.skipped > 0) ? 1 : 0;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  async (error: Error) => {
    console.error(error.message);
    await stopServices();
    console.log('\n0 passed, 1 failed');
    process.exit(1);
  },
);
