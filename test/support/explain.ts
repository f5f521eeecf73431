import type { Database, Row } from '@authserver/store';

export type Statement = { operation: string; text: string; values: readonly unknown[] };
export type Plan = { text: string; milliseconds: number; nodes: PlanNode[] };
export type PlanNode = {
  type: string;
  relation: string | undefined;
  index: string | undefined;
  /** Read and thrown away again, because of a filter beside the index. */
  rowsRemoved: number;
  /** Read and passed on. */
  rows: number;
};

/** The database, and what was asked of it. */
export const recording = (database: Database): { db: Database; statements: Statement[] } => {
  const statements: Statement[] = [];
  const query: Database['query'] = (operation, text, values = [], options) => {
    statements.push({ operation, text, values });
    return database.query(operation, text, values, options);
  };
  return { db: { ...database, query }, statements };
};

/** Runs a statement once more and says how: the plan for these very values, as a statement planned anew gets it. */
export const explain = async (db: Database, { text, values }: Statement): Promise<Plan> => {
  const asked = async (format: string) => {
    const answer = await db.query('explain', `explain (analyze, buffers, ${format}) ${text}`, values, {
      planned: 'anew',
    });
    return answer.rows.map((row) => row['QUERY PLAN']);
  };
  const [[answer]] = (await asked('format json')) as [[Row]];
  return {
    text: (await asked('format text')).join('\n'),
    milliseconds: Number(answer['Execution Time']) + Number(answer['Planning Time']),
    nodes: flatten(answer.Plan as Row),
  };
};

const flatten = (node: Row): PlanNode[] => [
  {
    type: String(node['Node Type']),
    relation: node['Relation Name'] as string | undefined,
    index: node['Index Name'] as string | undefined,
    rowsRemoved: Number(node['Rows Removed by Filter'] ?? 0) * Number(node['Actual Loops'] ?? 1),
    rows: Number(node['Actual Rows'] ?? 0) * Number(node['Actual Loops'] ?? 1),
  },
  ...((node.Plans as Row[] | undefined) ?? []).flatMap(flatten),
];
