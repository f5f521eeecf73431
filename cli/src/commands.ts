/** Every command by its id. oclif finds this map through `oclif.commands` in package.json; `:` becomes a space. */
import type { Command } from '@oclif/core';
import { adminCommands, operationsOf as operationsOfCommand } from './admin-commands.ts';
import { adminKeyCommands } from './commands/admin/admin-key.ts';
import { auditCommands } from './commands/admin/audit.ts';
import { clientCommands } from './commands/admin/client.ts';
import { cryptoCommands } from './commands/admin/crypto.ts';
import { dcrCommands } from './commands/admin/dcr.ts';
import { declarativeCommands } from './commands/admin/declarative.ts';
import { exchangeCommands } from './commands/admin/exchange.ts';
import { frontingCommands } from './commands/admin/fronting.ts';
import { grantCommands } from './commands/admin/grant.ts';
import { idpCommands } from './commands/admin/idp.ts';
import { issuanceCommands } from './commands/admin/issuance.ts';
import { keyCommands } from './commands/admin/key.ts';
import { providerCommands } from './commands/admin/provider.ts';
import { resourceCommands } from './commands/admin/resource.ts';
import { resourcePolicyCommands } from './commands/admin/resource-policy.ts';
import { systemCommands } from './commands/admin/system.ts';
import { tokenCommands } from './commands/admin/token.ts';
import { Top } from './commands/admin/top.ts';
import { traceCommands } from './commands/admin/trace.ts';
import { userCommands } from './commands/admin/user.ts';
import { xaaCommands } from './commands/admin/xaa.ts';
import { Complete } from './commands/complete.ts';
import { Completion } from './commands/completion.ts';
import { contextCommands } from './commands/context.ts';
import { Doctor } from './commands/doctor.ts';
import { ImportKeys } from './commands/import-keys.ts';
import { Migrate } from './commands/migrate.ts';
import { Purge } from './commands/purge.ts';
import { Serve } from './commands/serve.ts';
import { ShowVersion } from './commands/version.ts';
import type { OperationId } from './operations.ts';

export const COMMANDS: Record<string, Command.Class> = adminCommands({
  serve: Serve,
  migrate: Migrate,
  purge: Purge,
  'import-keys': ImportKeys,
  doctor: Doctor,
  version: ShowVersion,
  completion: Completion,
  __complete: Complete,
  ...contextCommands,
  ...clientCommands,
  ...userCommands,
  ...resourceCommands,
  ...resourcePolicyCommands,
  ...providerCommands,
  ...exchangeCommands,
  ...frontingCommands,
  ...cryptoCommands,
  ...declarativeCommands,
  ...keyCommands,
  ...idpCommands,
  ...xaaCommands,
  ...adminKeyCommands,
  ...dcrCommands,
  ...tokenCommands,
  ...issuanceCommands,
  ...grantCommands,
  ...auditCommands,
  ...traceCommands,
  'admin:top': Top,
  ...systemCommands,
});

/** The operations of the admin API that a command is made of, as `client.rotateSecret`, by the id of the command. */
export const operationsOf = (id: string): readonly OperationId[] => {
  const command = COMMANDS[id];
  return command ? operationsOfCommand(command) : [];
};
