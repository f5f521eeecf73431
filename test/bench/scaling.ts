import { runLoad } from './load/run-load.ts';
import type { Options } from './options.ts';
import { table } from './report.ts';
import type { Authserver } from './subjects/authserver.ts';

/**
 * Machine tokens of several pods that share the whole machine with PostgreSQL and the load, each connection at one of
 * them. More pods than there are cores cannot be faster; it must not cost much either.
 */
export const measureScaling = async (
  authserver: Authserver,
  { pods, seconds, connections }: Options,
): Promise<string> => {
  const rows = [['pods', 'tokens per second', 'p50 ms', 'p99 ms', 'errors']];
  const started: Awaited<ReturnType<Authserver['startPod']>>[] = [];
  try {
    for (const count of pods) {
      while (started.length < count) started.push(await authserver.startPod());
      const ports = started.slice(0, count).map(({ port }) => port);
      const load = { plan: authserver.plans.client_credentials, ports, connections };
      await runLoad({ ...load, seconds: Math.min(2, seconds) });
      const { rate, p50, p99, errors } = await runLoad({ ...load, seconds });
      rows.push([count, rate, p50, p99, errors].map(String));
    }
  } finally {
    for (const { server } of started) await server.stop();
  }
  return table(rows);
};
