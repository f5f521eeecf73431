import { randomBytes } from 'node:crypto';
import type { AuthServer } from './auth-server.ts';

/** From here on nothing tells of a change but what does so by itself; `mendNotify` undoes it. */
export const cutNotify = async (server: AuthServer): Promise<() => Promise<unknown>> => {
  const [{ definition } = { definition: '' }] = await server.sql<{ definition: string }>(
    `select pg_get_functiondef('record_change'::regproc) as definition`,
  );
  await server.sql(`create or replace function record_change(change_kind text, change_key text) returns bigint
    language sql as $$ insert into changes (kind, key) values (change_kind, change_key) returning version $$`);
  return () => server.sql(definition);
};

/** Seconds that changes took from their commit to their application, a number for each change on each pod. */
export const recordPropagation = ({ pods }: AuthServer): { seconds: number[]; stop(): number[] } => {
  const seconds: number[] = [];
  const before = pods.map(({ metrics: { changePropagation } }) => {
    const { observe } = changePropagation;
    changePropagation.observe = (labels, value) => {
      seconds.push(value);
      observe.call(changePropagation, labels, value);
    };
    return () => {
      changePropagation.observe = observe;
    };
  });
  return {
    seconds,
    stop() {
      for (const restore of before) restore();
      return seconds;
    },
  };
};

/** Changes of every kind that a pod keeps something of, made by an operator one after the other. */
export const makeChanges = async (
  { admin }: AuthServer,
  { rounds, pauseMs = 0 }: { rounds: number; pauseMs?: number },
): Promise<void> => {
  const { client_id: id } = await admin.client.create({
    body: { client_name: 'x', redirect_uris: ['https://app.example.com/cb'] },
  });
  const change = async (work: () => Promise<unknown>): Promise<void> => {
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs * 2 * Math.random()));
    await work();
  };
  for (let round = 0; round < rounds; round += 1) {
    const slug = `mcp-${randomBytes(6).toString('hex')}`;
    const resource = { slug, uri: `https://${slug}.example.com/mcp`, scopes: [{ name: 'tools/read' }] };
    await change(() => admin.client.suspend({ id }));
    await change(() => admin.client.reactivate({ id }));
    await change(() => admin.dcr.set({ body: { mode: round % 2 === 0 ? 'admin_only' : 'open' } }));
    await change(() => admin.resource.create({ body: resource }));
    // Now and then: each retired key stays, and makes the next reading of the keys slower.
    if (round % 10 === 0) await change(() => admin.key.rotate({ body: { force: true } }));
  }
};

/** How many changes there are; what changes nothing is none. */
export const countChanges = async (server: AuthServer): Promise<number> =>
  Number((await server.sql('select count(*) as n from changes'))[0]?.n);

/** The smallest number that the given part of them does not exceed. */
export const quantile = (numbers: readonly number[], part: number): number => {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
};

export const inMilliseconds = (seconds: readonly number[]): string => {
  const at = (part: number) => (quantile(seconds, part) * 1000).toFixed(1);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)} ms of ${seconds.length}`;
};
