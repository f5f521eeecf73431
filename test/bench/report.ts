import { targets } from './options.ts';
import type { Round } from './rounds.ts';
import type { Operation, Subject } from './subjects/subject.ts';

const head = [
  'operation',
  'server',
  'per second',
  'p50 ms',
  'p99 ms',
  'CPU µs',
  'PostgreSQL µs',
  'statements',
  'WAL bytes',
  'ratio',
  'target',
];

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** A table of Markdown, its columns as wide as they have to be. */
export const table = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const [first = [], ...others] = rows;
  return [line(first), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...others.map(line)].join('\n');
};

/** A row for each subject. The ratio is the first one's rate to that subject's, the median of the pairs. */
export const reportOperations = (results: ReadonlyMap<Operation, ReadonlyMap<Subject, readonly Round[]>>): string =>
  table([
    head,
    ...[...results].flatMap(([operation, measured]) => {
      const [ours = []] = measured.values();
      return [...measured].map(([subject, rounds], at) => {
        const { name } = subject;
        const of = (pick: (round: Round) => number) => median(rounds.map(pick));
        // What only this server does is compared with the machine tokens it issues.
        const share = targets[operation].client_credentials;
        const compared = share === undefined ? ours : rounds;
        const beside = share === undefined ? rounds : (results.get('client_credentials')?.get(subject) ?? []);
        const alone = at === 0 && share === undefined;
        const ratio = median(compared.map(({ rate }, round) => rate / (beside[round]?.rate ?? Number.NaN)));
        const target = share ?? targets[operation][name as 'ceiling'];
        return [
          operation,
          name,
          `${of(({ rate }) => rate)}${errorsOf(rounds)}`,
          of(({ p50 }) => p50).toFixed(1),
          of(({ p99 }) => p99).toFixed(1),
          of(({ cpuMicroseconds }) => cpuMicroseconds).toFixed(0),
          of(({ postgresMicroseconds }) => postgresMicroseconds).toFixed(0),
          of(({ statements }) => statements).toFixed(2),
          of(({ walBytes }) => walBytes).toFixed(0),
          alone || Number.isNaN(ratio) ? '' : ratio.toFixed(2),
          target === undefined || alone || Number.isNaN(ratio)
            ? ''
            : `${ratio >= target ? 'met' : 'missed'}: ${target}`,
        ];
      });
    }),
  ]);

const errorsOf = (rounds: readonly Round[]): string => {
  const errors = rounds.reduce((sum, round) => sum + round.errors, 0);
  return errors > 0 ? ` (${errors} errors)` : '';
};
