import { OAuthError } from '@authserver/oauth';
import type { AuditContext, Client, Store } from '@authserver/store';
import type { Logger, Metrics } from '@authserver/telemetry';
import type { Clock } from '../time.ts';
import type { Documents } from './documents.ts';
import { type DocumentClient, sameIdentity, sameMetadata } from './metadata-document.ts';

export type DocumentRowsDeps = {
  store: Store;
  documents: Documents;
  /** Ceiling of clients that nobody registered. */
  defaultCeiling: readonly string[];
  clock: Clock;
  metrics: Metrics;
  logger: Logger;
};

/**
 * Clients known by their document, and the rows they have from the first consent on: the document says who a client is,
 * the row what an operator said of it, and the row follows the document.
 */
export type DocumentRows = {
  /** The client that the two make together. */
  merge(document: DocumentClient, row: Client | undefined): Client;
  /**
   * Makes a client known by a document durable, and its row say what the document says, before something refers to it.
   * `now` is the time of that something: a consent to what the client has just become is not older than the change.
   */
  keep(client: Client, now: Date, context: AuditContext): Promise<void>;
  /** As `merge`; the row follows beside the request, because it may soon be all we have. */
  follow(document: DocumentClient, row: Client): Client;
  /** Asks for a newer document beside the request, now and then. */
  recheck(row: Client): void;
};

const recheckMs = 60_000;
const maxRechecks = 1024;

export const createDocumentRows = (deps: DocumentRowsDeps): DocumentRows => {
  const { store, documents, clock } = deps;
  const rechecked = new Map<string, number>();
  const followed = new Map<string, number>();

  const merge = (document: DocumentClient, row: Client | undefined): Client => {
    const now = clock.now();
    return {
      ...document,
      ceiling: row ? row.ceiling : deps.defaultCeiling,
      status: row?.status ?? 'active',
      jwks: document.jwks,
      jwksUri: document.jwksUri,
      // A demand that was made once stays: a document that is forged later cannot take it back.
      dpopBoundAccessTokens: document.dpopBoundAccessTokens === true || row?.dpopBoundAccessTokens === true,
      requirePushedAuthorizationRequests:
        document.requirePushedAuthorizationRequests === true || row?.requirePushedAuthorizationRequests === true,
      refreshTokenPolicy: row?.refreshTokenPolicy ?? 'registered',
      secrets: [],
      firstUserId: row?.firstUserId,
      lastUsedAt: row?.lastUsedAt,
      identityChangedAt: row && !sameIdentity(document, row) ? now : row?.identityChangedAt,
      version: row?.version ?? 0,
      createdAt: row?.createdAt ?? now,
      updatedAt: row?.updatedAt ?? now,
    };
  };

  const keep = async (client: Client, now: Date, context: AuditContext): Promise<void> => {
    if (client.registrationSource !== 'cimd') return;
    await write(client, await store.clients.find(client.clientId), now, context);
  };

  /** As `keep`, for a row that is there: nobody was asked, so one that an operator deleted meanwhile stays away. */
  const keepUp = async (client: Client): Promise<void> => {
    const row = await store.clients.find(client.clientId);
    if (row) await write(client, row, clock.now(), {});
  };

  const write = async (client: Client, row: Client | undefined, now: Date, context: AuditContext): Promise<void> => {
    if (row && (row.registrationSource !== 'cimd' || sameMetadata(client, row))) return;
    const identityChanged = row !== undefined && !sameIdentity(client, row);
    const outcome = await store.transaction(async (tx) => {
      const kept = await tx.clientDocuments.keep(client, identityChanged, now);
      if (kept === 'refused') return kept;
      await tx.auditEvents.insert({
        ...context,
        action: kept === 'inserted' ? 'client.registered' : 'client.document_changed',
        at: now,
        clientId: client.clientId,
        details:
          kept === 'inserted'
            ? { source: 'cimd', name: client.clientName, redirect_uris: client.redirectUris }
            : { identity_changed: identityChanged, before: row && describe(row), after: describe(client) },
      });
      await tx.changes.record('client', client.clientId);
      return kept;
    });
    if (outcome === 'inserted') deps.metrics.clientsRegistered.inc({ source: 'cimd' });
  };

  /** Once a minute for one client, in bounded memory: a document that changes all the time is written no more often. */
  const isDue = (done: Map<string, number>, clientId: string): boolean => {
    const now = clock.now().getTime();
    if (now - (done.get(clientId) ?? 0) < recheckMs) return false;
    done.delete(clientId);
    if (done.size >= maxRechecks) done.delete(done.keys().next().value as string);
    done.set(clientId, now);
    return true;
  };

  const recheck = (row: Client): void => {
    if (!isDue(rechecked, row.clientId)) return;
    documents
      .get(row.clientId, { known: true })
      .then((document) => keepUp(merge(document, row)))
      .catch(noteUnkept);
  };

  const noteUnkept = (error: unknown): void => {
    if (!(error instanceof OAuthError)) deps.logger.warn({ err: error }, 'a client document was not kept');
  };

  const follow = (document: DocumentClient, row: Client): Client => {
    const client = merge(document, row);
    if (!sameMetadata(client, row) && isDue(followed, row.clientId)) keepUp(client).catch(noteUnkept);
    return client;
  };

  return { merge, keep, follow, recheck };
};

const describe = (client: Client) => ({
  name: client.clientName,
  redirect_uris: client.redirectUris,
  token_endpoint_auth_method: client.tokenEndpointAuthMethod,
  jwks_uri: client.jwksUri,
});
