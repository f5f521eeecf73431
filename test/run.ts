/**
 * Runs the tests: `node test/run.ts [--unit] [part of a file name …]`.
 * Finds or starts the services once, runs every file in a process of its own, and ends with `N passed, N failed`.
 * Exit code 1 when something failed or nothing ran, and in CI also when something was skipped.
 */
import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { existsSync, globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { count, failedFiles, type Results, report, summary } from './support/reporter.ts';
import { nats, postgres, redis, stopServices } from './support/services.ts';

const TEST_TIMEOUT_MS = 120_000;
/** A file that blocks its own event loop cannot time out by itself; it is killed after this. */
const FILE_TIMEOUT_MS = 300_000;
/** More failed files than these are no accident. */
const MOST_FILES_AGAIN = 3;
/** A test process that is made to exit loses what still waits in its pipe to us: results of tests. So nothing may wait. */
const blockingOutput = 'data:text/javascript,process.stdout._handle?.setBlocking?.(true)';

const beside = ['packages/*/src', 'services/*', 'cli/src', 'test/support', 'test/cluster'].map(
  (path) => `${path}/**/*.test.ts`,
);
const contracts = ['test/contracts/**/*.test.ts'];
const features = ['test/{features,conformance,fuzz}/**/*.test.ts'];

function testFiles(args: string[]): string[] {
  const patterns = args.includes('--unit') ? [...beside, ...contracts] : [...beside, ...contracts, ...features];
  const filters = args.filter((arg) => !arg.startsWith('--'));
  const files = globSync(patterns, { exclude: (path) => path.endsWith('node_modules') });
  return files.filter((file) => filters.length === 0 || filters.some((part) => file.includes(part))).sort();
}

/**
 * Passes the services on to the test files, which are child processes. PostgreSQL comes with us; where one of the others is
 * missing, the tests that need it are skipped and say why.
 */
async function findServices(): Promise<void> {
  process.env.TEST_PG_URL = (await postgres()).adminDsn;
  for (const [name, find] of Object.entries({ NATS: nats, REDIS: redis })) {
    try {
      process.env[`TEST_${name}_URL`] = (await find()).url;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      process.env[`TEST_NO_${name}`] = reason;
      console.error(reason);
    }
  }
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
  const results: Results = new Map();
  await runFiles(testFiles(args), availableParallelism(), results);
  const flaky = inCi ? await runAgain(results) : [];
  process.stdout.write(summary(results, flaky));
  await stopServices();
  const { passed, failed, skipped } = count(results);
  return failed > 0 || passed === 0 || (inCi && skipped > 0) ? 1 : 0;
}

async function runFiles(files: readonly string[], concurrency: number, results: Results): Promise<void> {
  const events = run({
    files: files.map((file) => resolve(file)),
    isolation: 'process',
    concurrency,
    // Flags of each test process. The options of run() would make this process exit before the report is written.
    execArgv: ['--test-force-exit', `--test-timeout=${TEST_TIMEOUT_MS}`, '--import', blockingOutput],
  });
  for await (const text of report(events, results)) process.stdout.write(text);
}

/**
 * A machine of two cores that runs servers, browsers and databases for several files at once makes a test late now and
 * then. So in CI a few files that failed get a second chance, alone. One that then passes is named in the summary: it is
 * a defect, of the test or of what it tests, but none that this change has made.
 */
async function runAgain(results: Results): Promise<string[]> {
  const files = failedFiles(results).filter((file) => existsSync(file));
  if (files.length === 0 || files.length > MOST_FILES_AGAIN) return [];
  const failures = new Map(files.map((file) => [file, results.get(file)?.failed ?? []]));
  for (const file of files) results.delete(file);
  process.stdout.write(`\nonce more, alone: ${files.join(', ')}\n`);
  await runFiles(files, 1, results);
  const failedTwice = failedFiles(results);
  return files.filter((file) => !failedTwice.includes(file)).flatMap((file) => failures.get(file) ?? []);
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
