/** Every command by its id. oclif finds this map through `oclif.commands` in package.json; `:` becomes a space. */
import { auditCommands } from './commands/admin/audit.ts';
import { clientCommands } from './commands/admin/client.ts';
import { dcrCommands } from './commands/admin/dcr.ts';
import { grantCommands } from './commands/admin/grant.ts';
import { issuanceCommands } from './commands/admin/issuance.ts';
import { keyCommands } from './commands/admin/key.ts';
import { resourceCommands } from './commands/admin/resource.ts';
import { resourcePolicyCommands } from './commands/admin/resource-policy.ts';
import { systemCommands } from './commands/admin/system.ts';
import { traceCommands } from './commands/admin/trace.ts';
import { userCommands } from './commands/admin/user.ts';
import { Completion } from './commands/completion.ts';
import { Migrate } from './commands/migrate.ts';
import { Serve } from './commands/serve.ts';
import { ShowVersion } from './commands/version.ts';

export const COMMANDS = {
  serve: Serve,
  migrate: Migrate,
  version: ShowVersion,
  completion: Completion,
  ...clientCommands,
  ...userCommands,
  ...resourceCommands,
  ...resourcePolicyCommands,
  ...keyCommands,
  ...dcrCommands,
  ...issuanceCommands,
  ...grantCommands,
  ...auditCommands,
  ...traceCommands,
  ...systemCommands,
};
