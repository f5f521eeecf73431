/**
 * The data plane as a process of its own: what the image and a pod run. It neither needs nor knows the control plane. The
 * workers of `--workers` are this program as well.
 */
import cluster from 'node:cluster';
import { runService } from '@authserver/boot';
import { startTokenService } from './start.ts';
import { startTokenWorkers } from './workers/pool.ts';
import { runTokenWorker } from './workers/worker.ts';

if (cluster.isWorker) runTokenWorker({ start: startTokenService, env: process.env });
else
  await runService({
    role: 'token',
    argv: process.argv.slice(2),
    env: process.env,
    start: ({ prepared, workers, ...context }) => {
      const { dsn, keyring, sessionSecret } = prepared;
      const common = { ...context, dsn, sessionSecret, internalListener: true };
      return workers > 1 ? startTokenWorkers({ ...common, count: workers }) : startTokenService({ ...common, keyring });
    },
  });
