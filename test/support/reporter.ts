import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

/** What the tests of one file came to. Cancelled tests count as failed, `todo` ones as skipped. */
export interface FileResult {
  passed: number;
  /** By name, as are those skipped, with the reason. */
  failed: string[];
  skipped: string[];
}

/** What a run came to, by file; complete once the report has ended. */
export type Results = Map<string, FileResult>;

type Outcome = Extract<TestEvent, { type: 'test:pass' | 'test:fail' }>;

const OUTPUT_CHUNKS = 400;

/**
 * Turns the events of `node:test` into text: a line for each file, and every failure in full with what its file printed.
 * Adds to `results`: tests, not suites; a file or a suite that fails by itself (a crash, a hook) is one failure.
 */
export async function* report(events: AsyncIterable<TestEvent>, results: Results): AsyncGenerator<string> {
  const names: string[] = []; // of the test being reported and those around it
  const output = new Map<string, string[]>();
  const resultOf = (file: string): FileResult => {
    const result = results.get(file) ?? { passed: 0, failed: [], skipped: [] };
    results.set(file, result);
    return result;
  };

  for await (const event of events) {
    if (event.type === 'test:start') {
      names.length = event.data.nesting;
      names.push(event.data.name);
    } else if (event.type === 'test:stdout' || event.type === 'test:stderr') {
      const file = fileOf(event.data);
      const chunks = output.get(file) ?? [];
      output.set(file, [...chunks, event.data.message].slice(-OUTPUT_CHUNKS));
    } else if (event.type === 'test:pass' || event.type === 'test:fail') {
      const file = fileOf(event.data);
      const result = resultOf(file);
      const wholeFile = isWholeFile(event);
      const name = wholeFile
        ? file
        : `${file}: ${[...names.slice(0, event.data.nesting), event.data.name].join(' > ')}`;
      const outcome = judge(event);
      if (outcome === 'skipped') result.skipped.push(`${name} (${reasonOf(event)})`);
      if (outcome === 'failed') result.failed.push(name);
      if (outcome === 'passed' && !wholeFile) result.passed += 1;
      if (outcome === 'failed' && explains(event)) yield `\n✖ ${name}\n${indent(describe(event))}\n`;
      if (wholeFile) {
        yield outcome === 'failed' ? fileOutput(output.get(file)) : `- ${file}: no tests\n`;
        output.delete(file);
      }
    } else if (event.type === 'test:summary' && event.data.file) {
      const file = fileOf(event.data);
      const { passed, failed } = resultOf(file);
      const ran = passed + failed.length;
      const time = `${Math.round(event.data.duration_ms)} ms`;
      const count = failed.length ? `${failed.length} of ${ran} tests failed` : `${ran} tests`;
      yield `${failed.length ? '✖' : '✔'} ${file}: ${count}, ${time}\n`;
      if (failed.length) yield fileOutput(output.get(file));
      output.delete(file);
    } else if (event.type === 'test:summary' && !event.data.success && failedFiles(results).length === 0) {
      resultOf('the run').failed.push('the run failed, though no test did');
    }
  }
}

export const failedFiles = (results: Results): string[] =>
  [...results].filter(([, { failed }]) => failed.length > 0).map(([file]) => file);

export const count = (results: Results): { passed: number; failed: number; skipped: number } => {
  const all = [...results.values()];
  return {
    passed: all.reduce((sum, { passed }) => sum + passed, 0),
    failed: all.reduce((sum, { failed }) => sum + failed.length, 0),
    skipped: all.reduce((sum, { skipped }) => sum + skipped.length, 0),
  };
};

/**
 * Every skipped test with its reason, what failed, what passed only when it was run again, and as the very last line
 * `N passed, N failed`, with `, N skipped` if there are.
 */
export const summary = (results: Results, flaky: readonly string[] = []): string => {
  const { passed, failed, skipped } = count(results);
  const all = [...results.values()];
  const list = (title: string, names: readonly string[]) =>
    names.length > 0 ? `\n${title}:\n${indent(names.join('\n'))}\n` : '';
  return [
    list(
      'skipped',
      all.flatMap((result) => result.skipped),
    ),
    list('failed once, and passed when it was run again alone', flaky),
    list(
      'failed',
      all.flatMap((result) => result.failed),
    ),
    passed + failed === 0 ? '\nNo test ran.\n' : '',
    `\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`,
  ].join('');
};

/** Which count an event belongs to; none for a suite that did not fail by itself. */
function judge(event: Outcome): keyof FileResult | undefined {
  const { skip, todo, details } = event.data;
  if (skip !== undefined || todo !== undefined) return 'skipped';
  if (event.type === 'test:fail') return details.type === 'suite' && !explains(event) ? undefined : 'failed';
  return details.type === 'suite' ? undefined : 'passed';
}

/** False when a failure only repeats that something inside failed, which has been reported. */
function explains(event: Outcome): boolean {
  return event.type === 'test:fail' && failureOf(event)?.failureType !== 'subtestsFailed';
}

/** A file without tests passes, and one that crashes fails, as a test named by its path. */
function isWholeFile({ data }: Outcome): boolean {
  return data.nesting === 0 && fileOf({ file: data.name }) === fileOf(data);
}

function describe(event: Outcome): string {
  const failure = failureOf(event);
  const place = event.data.line ? `at ${fileOf(event.data)}:${event.data.line}\n` : '';
  return place + inspect(failure?.cause ?? failure, { depth: 8 });
}

function failureOf(event: Outcome): (Error & { failureType?: string }) | undefined {
  return event.type === 'test:fail' ? event.data.details.error : undefined;
}

function reasonOf({ data }: Outcome): string {
  const reason = data.skip ?? data.todo;
  return typeof reason === 'string' && reason !== '' ? reason : 'no reason given';
}

/** The test file; newer versions of Node name the file a test was declared in, which may be another one, as `file`. */
function fileOf(data: { file?: string | undefined; entryFile?: string | undefined }): string {
  return relative(process.cwd(), data.entryFile ?? data.file ?? 'unknown file');
}

function fileOutput(chunks: string[] | undefined): string {
  return chunks ? `  printed:\n${indent(chunks.join('').trimEnd())}\n` : '';
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}
