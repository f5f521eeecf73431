import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

/** What a run came to; complete once the report has ended. Cancelled tests count as failed, `todo` ones as skipped. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

type Outcome = Extract<TestEvent, { type: 'test:pass' | 'test:fail' }>;

const OUTPUT_CHUNKS = 400;

/**
 * Turns the events of `node:test` into text: a line for each file, every failure in full with what its file printed,
 * every skipped test with its reason, and as the very last line `N passed, N failed`, with `, N skipped` if there are.
 * Adds to `tally`: tests, not suites; a file or a suite that fails by itself (a crash, a hook) is one failure.
 */
export async function* report(events: AsyncIterable<TestEvent>, tally: Tally): AsyncGenerator<string> {
  const names: string[] = []; // of the test being reported and those around it
  const failures: string[] = [];
  const skips: string[] = [];
  const output = new Map<string, string[]>();
  let before = { ...tally };

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
      const wholeFile = isWholeFile(event);
      const name = wholeFile
        ? file
        : `${file}: ${[...names.slice(0, event.data.nesting), event.data.name].join(' > ')}`;
      const outcome = judge(event);
      if (outcome === 'skipped') skips.push(`${name} (${reasonOf(event)})`);
      if (outcome === 'failed') failures.push(name);
      if (outcome && !(wholeFile && outcome === 'passed')) tally[outcome]++;
      if (outcome === 'failed' && explains(event)) yield `\n✖ ${name}\n${indent(describe(event))}\n`;
      if (wholeFile) {
        yield outcome === 'failed' ? fileOutput(output.get(file)) : `- ${file}: no tests\n`;
        output.delete(file);
        before = { ...tally };
      }
    } else if (event.type === 'test:summary' && event.data.file) {
      const file = fileOf(event.data);
      const failed = tally.failed - before.failed;
      const ran = tally.passed - before.passed + failed;
      const time = `${Math.round(event.data.duration_ms)} ms`;
      yield `${failed ? '✖' : '✔'} ${file}: ${failed ? `${failed} of ` : ''}${ran} tests${failed ? ' failed' : ''}, ${time}\n`;
      if (failed) yield fileOutput(output.get(file));
      output.delete(file);
      before = { ...tally };
    } else if (event.type === 'test:summary' && !event.data.success && tally.failed === 0) {
      tally.failed = 1;
    }
  }
  if (skips.length > 0) yield `\nskipped:\n${indent(skips.join('\n'))}\n`;
  if (failures.length > 0) yield `\nfailed:\n${indent(failures.join('\n'))}\n`;
  if (tally.passed + tally.failed === 0) yield '\nNo test ran.\n';
  yield `\n${tally.passed} passed, ${tally.failed} failed${tally.skipped > 0 ? `, ${tally.skipped} skipped` : ''}\n`;
}

/** Which count an event belongs to; none for a suite that did not fail by itself. */
function judge(event: Outcome): keyof Tally | undefined {
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
