import type pg from 'pg';
import type { Plan } from './load/plan.ts';
import { runLoad } from './load/run-load.ts';
import { cpuSeconds, familyCpuSeconds } from './machine.ts';
import type { Options } from './options.ts';
import type { Operation, Subject } from './subjects/subject.ts';

/** One subject under load for one round. */
export type Round = {
  rate: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  errors: number;
  /** Per operation. */
  cpuMicroseconds: number;
  postgresMicroseconds: number;
  statements: number;
  walBytes: number;
};

/** The database they share: connections, and the process all others come from. */
export type Postgres = { pool: { query(text: string): Promise<pg.QueryResult> }; pid: number };

/**
 * Measures an operation of all subjects in turn, round by round, so that what the machine does meanwhile meets all of them.
 * Before, each is warmed up and the tables are analyzed: plans made for empty tables would be measured otherwise.
 */
export const measure = async (
  operation: Operation,
  all: readonly Subject[],
  postgres: Postgres,
  { rounds, seconds, warmUp, connections }: Options,
): Promise<Map<Subject, Round[]>> => {
  const subjects = all.filter(({ plans }) => plans[operation]);
  const load = async (subject: Subject, duration: number) => {
    const plan = subject.plans[operation] as Plan;
    const result = await runLoad({ plan, ports: [subject.port], connections, seconds: duration });
    subject.plans[operation] = result.plan;
    return result;
  };
  for (const subject of subjects) await load(subject, warmUp);
  await postgres.pool.query('vacuum analyze');
  const measured = new Map(subjects.map((subject): [Subject, Round[]] => [subject, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const subject of subjects) {
      const before = await meters(subject, postgres);
      const result = await load(subject, seconds);
      const after = await meters(subject, postgres);
      const each = (name: keyof typeof before): number => (after[name] - before[name]) / result.operations;
      measured.get(subject)?.push({
        rate: result.rate,
        p50: result.p50,
        p99: result.p99,
        errors: result.errors,
        cpuMicroseconds: each('cpuSeconds') * 1e6,
        postgresMicroseconds: each('postgresCpuSeconds') * 1e6,
        statements: each('statements'),
        walBytes: each('walBytes'),
      });
    }
  return measured;
};

const meters = async (subject: Subject, { pool, pid }: Postgres) => {
  const { rows } = await pool.query("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as bytes");
  return {
    statements: await subject.statements(),
    walBytes: Number(rows[0].bytes),
    cpuSeconds: cpuSeconds(subject.server.pid),
    postgresCpuSeconds: familyCpuSeconds(pid),
  };
};
