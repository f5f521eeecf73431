import type { AdminTransport } from '@authserver/admin-api';
import type { TargetChoice } from './contexts/target.ts';

export type OpenTransport = { send: AdminTransport; close(): Promise<void> };

/**
 * The way to the admin API. With a configuration and no server it is the admin application in this process, against the
 * configured database and without a port, so that the first user can be made before anything serves. Otherwise it is HTTP.
 */
export const openTransport = async (choice: TargetChoice): Promise<OpenTransport> => {
  const { chooseTarget } = await import('./contexts/target.ts');
  const target = await chooseTarget(choice);
  if (target.kind === 'in-process') {
    const { openAdminInProcess } = await import('./serve/in-process.ts');
    const admin = await openAdminInProcess({ configPath: target.configPath, env: choice.env });
    return { send: (request) => admin.inject(request), close: () => admin.close() };
  }
  const [{ sendOverHttp }, { withRepetition }] = await Promise.all([
    import('./http-transport.ts'),
    import('./repetition.ts'),
  ]);
  const { adminUrl } = target;
  const apiKey = await target.findKey();
  const send: AdminTransport = (request) => sendOverHttp(request, { adminUrl, apiKey });
  return { send: withRepetition(send), close: async () => {} };
};
