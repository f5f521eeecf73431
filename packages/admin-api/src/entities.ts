/**
 * The admin API, one row an entity. Routes, the OpenAPI document, the client and the commands are read from this table,
 * and so is what each change is called in the audit trail and who may make it.
 */
import { adminKeyEntities } from './entities/admin-keys.ts';
import { auditEntities } from './entities/audit.ts';
import { brokeringEntities } from './entities/brokering.ts';
import { clientEntities } from './entities/clients.ts';
import { configurationEntities } from './entities/configuration.ts';
import { cryptoEntities } from './entities/crypto.ts';
import { exchangeEntities } from './entities/exchange.ts';
import { federationEntities } from './entities/federation.ts';
import { keyEntities } from './entities/keys.ts';
import { registrationEntities } from './entities/registration.ts';
import { resourceEntities } from './entities/resources.ts';
import { systemEntities } from './entities/system.ts';
import { tokenEntities } from './entities/tokens.ts';
import { userEntities } from './entities/users.ts';
import type { Entity } from './entity.ts';

export const entities = {
  ...clientEntities,
  ...userEntities,
  ...resourceEntities,
  ...brokeringEntities,
  ...exchangeEntities,
  ...federationEntities,
  ...tokenEntities,
  ...keyEntities,
  ...cryptoEntities,
  ...registrationEntities,
  ...adminKeyEntities,
  ...configurationEntities,
  ...auditEntities,
  ...systemEntities,
} as const satisfies Record<string, Entity>;

export type Entities = typeof entities;
