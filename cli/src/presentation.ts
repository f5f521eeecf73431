/** A result as it is printed, in the form that was asked for. JSON is not among them: that is what the API answered. */
import { type OperationId, operationOf } from './operations.ts';
import { pairs, type Value } from './output.ts';
import { rehearsed } from './rehearsal.ts';
import { idsOf } from './result-ids.ts';
import { toTable } from './table.ts';

export type Presented = {
  result: unknown;
  /** What the command says of the result. */
  lines: () => readonly string[];
  summary: string;
  operations: readonly OperationId[];
  /** Given on the command line, for a result that does not say it. */
  id: unknown;
  /** The result is that of a rehearsal, which the command does not put in words of its own. */
  rehearsal: boolean;
  /** The version of what is shown. */
  etag: string | undefined;
  quiet: boolean;
  table: { columns?: number; single: boolean } | undefined;
};

export const renderResult = (presented: Presented): readonly string[] => {
  if (presented.quiet) return [...ids(presented), ...secrets(presented)];
  const lines = presented.rehearsal ? wouldBe(presented) : withEtag(presented);
  return presented.table ? toTable(lines, presented.table) : lines;
};

const ids = ({ result, id }: Presented): string[] => {
  const found = idsOf(result);
  return found.length === 0 && typeof id === 'string' ? [id] : found;
};

/** What is shown once would be lost for the want of a line. */
const secrets = ({ result, operations }: Presented): string[] => {
  const members = (typeof result === 'object' && result !== null ? result : {}) as Record<string, Value>;
  return operations.flatMap((operation) => {
    const { secret = '' } = operationOf(operation);
    return members[secret] ? [pairs({ [secret]: members[secret] })] : [];
  });
};

const wouldBe = ({ lines, summary, operations }: Presented): string[] =>
  rehearsed(
    lines(),
    summary,
    operations.some((operation) => operationOf(operation).status === 201),
  );

const withEtag = ({ lines, etag }: Presented): readonly string[] => {
  const [first, ...others] = lines();
  return etag === undefined || first === undefined ? lines() : [`${first} ${pairs({ etag })}`, ...others];
};
