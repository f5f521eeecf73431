/** The data plane as a process of its own: what the image and a pod run. It neither needs nor knows the control plane. */
import { runService } from '@authserver/boot';
import { startTokenService } from './start.ts';

await runService({
  role: 'token',
  argv: process.argv.slice(2),
  env: process.env,
  start: ({ prepared, ...context }) =>
    startTokenService({
      ...context,
      dsn: prepared.dsn,
      keyring: prepared.keyring,
      sessionSecret: prepared.sessionSecret,
      internalListener: true,
    }),
});
