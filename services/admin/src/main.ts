/** The control plane as a process of its own: what the image and a pod run. It neither needs nor knows the data plane. */
import { runService } from '@authserver/boot';
import { startAdminService } from './start.ts';

await runService({
  role: 'admin',
  argv: process.argv.slice(2),
  env: process.env,
  start: ({ prepared, ...context }) =>
    startAdminService({
      ...context,
      dsn: prepared.dsn,
      keyring: prepared.keyring,
      keyStore: prepared.keyStore,
      cipher: prepared.cipher,
      adminApiKey: prepared.adminApiKey,
    }),
});
