import { runLoad } from './load/run-load.ts';
import { residentMegabytes } from './machine.ts';
import type { Options } from './options.ts';
import type { Authserver } from './subjects/authserver.ts';
import type { Subject } from './subjects/subject.ts';

/** What a server held when it first answered, and what it holds now. */
export const memoryRow = ({ name, server }: Pick<Subject, 'name' | 'server'>): string[] => [
  name,
  `${server.readyMegabytes} MB`,
  `${residentMegabytes(server.pid)} MB`,
];

/** Both planes in one process, under the same load for a round of each operation. */
export const measureBothPlanes = async (
  { startBoth, plans }: Authserver,
  { operations, seconds, connections }: Options,
): Promise<string[]> => {
  const { server, port } = await startBoth();
  try {
    for (const operation of operations) {
      const plan = plans[operation];
      if (plan) plans[operation] = (await runLoad({ plan, ports: [port], connections, seconds })).plan;
    }
    return memoryRow({ name: 'authserver, both planes', server });
  } finally {
    await server.stop();
  }
};
