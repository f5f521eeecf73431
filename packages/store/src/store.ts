import { changes } from './control/changes.ts';
import { clients } from './control/clients.ts';
import { resources } from './control/resources.ts';
import { settings } from './control/settings.ts';
import { users } from './control/users.ts';
import type { Database, Queryable } from './db.ts';
import { auditEvents } from './runtime/audit-events.ts';
import { authorizationCodes } from './runtime/authorization-codes.ts';
import { browserSessions } from './runtime/browser-sessions.ts';
import { consentGrants } from './runtime/consent-grants.ts';
import { issuances, revocationMarkers } from './runtime/issuances.ts';
import { refreshTokens, tokenFamilies } from './runtime/refresh-tokens.ts';

/** All repositories over one connection: the pool, or a transaction. */
export const repositories = (db: Queryable) => ({
  changes: changes(db),
  clients: clients(db),
  resources: resources(db),
  settings: settings(db),
  users: users(db),
  auditEvents: auditEvents(db),
  authorizationCodes: authorizationCodes(db),
  browserSessions: browserSessions(db),
  consentGrants: consentGrants(db),
  issuances: issuances(db),
  revocationMarkers: revocationMarkers(db),
  refreshTokens: refreshTokens(db),
  tokenFamilies: tokenFamilies(db),
});

export type Repositories = ReturnType<typeof repositories>;

export type Store = Repositories & {
  /** The same repositories inside one transaction. */
  transaction<T>(work: (tx: Repositories) => Promise<T>): Promise<T>;
};

export const createStore = (db: Database): Store => ({
  ...repositories(db),
  transaction: (work) => db.transaction((tx) => work(repositories(tx))),
});
