import type { Plan } from './load/plan.ts';
import { runLoad } from './load/run-load.ts';
import type { Options } from './options.ts';
import { table } from './report.ts';
import type { Authserver } from './subjects/authserver.ts';

/**
 * Machine tokens of several processes that share the whole machine with PostgreSQL and the load: pods, each connection at
 * one of them, and workers behind one port. More processes than there are cores cannot be faster; they must not cost much
 * either.
 */
export const measureScaling = async (
  authserver: Authserver,
  { pods, workers, seconds, warmUp, connections }: Options,
): Promise<string> => {
  const rows = [['pods', 'workers of each', 'tokens per second', 'p50 ms', 'p99 ms', 'errors']];
  for (const [podCount, workerCount] of [...pods.map((n) => [n, 1] as const), ...workers.map((n) => [1, n] as const)]) {
    const started: Awaited<ReturnType<Authserver['startPod']>>[] = [];
    try {
      while (started.length < podCount) started.push(await authserver.startPod(workerCount));
      const load = {
        plan: authserver.plans.client_credentials as Plan,
        ports: started.map(({ port }) => port),
        connections,
      };
      await runLoad({ ...load, seconds: warmUp });
      const { rate, p50, p99, errors } = await runLoad({ ...load, seconds });
      rows.push([podCount, workerCount, rate, p50, p99, errors].map(String));
    } finally {
      await Promise.all(started.map(({ server }) => server.stop()));
    }
  }
  return table(rows);
};
