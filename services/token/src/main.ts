/**
 * The data plane as a process of its own: what the image and a pod run. It neither needs nor knows the control plane. The
 * workers of `--workers` are this program as well.
 */
import { runService } from '@authserver/boot';
import { asWorker } from './workers/messages.ts';

const serving = () => import('./start.ts');

if (process.argv[2] === asWorker && process.send) {
  process.once('disconnect', () => process.exit());
  const [{ runTokenWorker }, { startTokenService }] = await Promise.all([import('./workers/worker.ts'), serving()]);
  runTokenWorker({ start: startTokenService, env: process.env });
} else
  await runService({
    role: 'token',
    argv: process.argv.slice(2),
    env: process.env,
    // The parent of workers hands out connections, and loads nothing of what they do.
    start: async ({ prepared, workers, ...context }) => {
      const { dsn, keyring, sessionSecret } = prepared;
      const common = { ...context, dsn, sessionSecret, internalListener: true };
      if (workers === 1) return (await serving()).startTokenService({ ...common, keyring });
      const { startTokenWorkers } = await import('./workers/pool.ts');
      return startTokenWorkers({ ...common, count: workers });
    },
  });
