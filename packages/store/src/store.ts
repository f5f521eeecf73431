import { adminKeyFailures } from './control/admin-key-failures.ts';
import { adminKeys } from './control/admin-keys.ts';
import { changes } from './control/changes.ts';
import { clientDocuments } from './control/client-documents.ts';
import { clientExpiry, clientTombstones } from './control/client-expiry.ts';
import { clientRegistrations } from './control/client-registrations.ts';
import { clientSecrets } from './control/client-secrets.ts';
import { clients } from './control/clients.ts';
import { configurationOwners } from './control/configuration-owners.ts';
import { frontingLinks } from './control/fronting-links.ts';
import { trustedIdps } from './control/idps.ts';
import { initialAccessTokens } from './control/initial-access-tokens.ts';
import { brokerProviders } from './control/providers.ts';
import { repeatableRequests } from './control/repeatable-requests.ts';
import { resources } from './control/resources.ts';
import { settings } from './control/settings.ts';
import { signingKeys } from './control/signing-keys.ts';
import { subjectMappings } from './control/subject-mappings.ts';
import { trust } from './control/trust.ts';
import { users } from './control/users.ts';
import { xaaPolicies } from './control/xaa-policies.ts';
import type { Database, Queryable } from './db.ts';
import { encryptedValues } from './encrypted-columns.ts';
import { gathered } from './gathered.ts';
import { auditChain } from './runtime/audit-chain.ts';
import { auditEvents } from './runtime/audit-events.ts';
import { authorizationCodes } from './runtime/authorization-codes.ts';
import { brokerGrants } from './runtime/broker-grants.ts';
import { browserSessions } from './runtime/browser-sessions.ts';
import { connectionEvents } from './runtime/connection-events.ts';
import { consentGrants } from './runtime/consent-grants.ts';
import { delegationUses } from './runtime/delegation-uses.ts';
import { deviceCodes } from './runtime/device-codes.ts';
import { exchanges } from './runtime/exchanges.ts';
import { issuances, revocationMarkers } from './runtime/issuances.ts';
import { pushedRequests } from './runtime/pushed-requests.ts';
import { refreshTokens, tokenFamilies } from './runtime/refresh-tokens.ts';
import { tokens } from './runtime/tokens.ts';

/** All repositories over one connection: the pool, or a transaction. */
export const repositories = (db: Queryable) => ({
  adminKeys: adminKeys(db),
  adminKeyFailures: adminKeyFailures(db),
  changes: changes(db),
  clients: clients(db),
  clientDocuments: clientDocuments(db),
  clientSecrets: clientSecrets(db),
  clientExpiry: clientExpiry(db),
  clientRegistrations: clientRegistrations(db),
  clientTombstones: clientTombstones(db),
  configurationOwners: configurationOwners(db),
  brokerProviders: brokerProviders(db),
  encryptedValues: encryptedValues(db),
  frontingLinks: frontingLinks(db),
  initialAccessTokens: initialAccessTokens(db),
  repeatableRequests: repeatableRequests(db),
  resources: resources(db),
  settings: settings(db),
  signingKeys: signingKeys(db),
  users: users(db),
  trustedIdps: trustedIdps(db),
  xaaPolicies: xaaPolicies(db),
  subjectMappings: subjectMappings(db),
  trust: trust(db),
  auditChain: auditChain(db),
  auditEvents: auditEvents(db),
  authorizationCodes: authorizationCodes(db),
  brokerGrants: brokerGrants(db),
  browserSessions: browserSessions(db),
  connectionEvents: connectionEvents(db),
  consentGrants: consentGrants(db),
  delegationUses: delegationUses(db),
  deviceCodes: deviceCodes(db),
  exchanges: exchanges(db),
  issuances: issuances(db),
  revocationMarkers: revocationMarkers(db),
  pushedRequests: pushedRequests(db),
  refreshTokens: refreshTokens(db),
  tokenFamilies: tokenFamilies(db),
  tokens: tokens(db),
});

export type Repositories = ReturnType<typeof repositories>;

/** What runs outside of transactions shares the statements of the hot path. */
export type Store = Repositories &
  ReturnType<typeof gathered> & {
    /** The same repositories inside one transaction. */
    transaction<T>(work: (tx: Repositories) => Promise<T>): Promise<T>;
  };

export const createStore = (db: Database, watch?: Parameters<typeof gathered>[2]): Store => {
  const plain = repositories(db);
  return {
    ...plain,
    ...gathered(db, plain, watch),
    transaction: (work) => db.transaction((tx) => work(repositories(tx))),
  };
};
