import type { Config } from '@authserver/config';
import { clientIdUrlProblem, invalidClient, isClientIdUrl, OAuthError } from '@authserver/oauth';
import { OutboundError, type OutboundPolicy, readTarget } from '@authserver/outbound';
import type { Client } from '@authserver/store';
import type { Lookups } from '../lookups.ts';
import type { DocumentRows } from './document-rows.ts';
import type { Documents } from './documents.ts';
import { keysUnavailable } from './keys.ts';
import { requireAllowedRedirects } from './registration-policy.ts';

export type FindDeps = {
  lookups: Lookups;
  documents: Documents;
  rows: Pick<DocumentRows, 'merge' | 'follow' | 'recheck'>;
  policy: OutboundPolicy;
  enabled: boolean;
  dcr: Config['dcr'];
};

/**
 * Clients by id. An id that is a URL leads to a metadata document, which says who the client is; what an operator said of
 * it (status, ceiling) is in its row and always wins. A row exists from the first consent on, or the first token for
 * an assertion: nobody can fill the table without somebody who is known here.
 */
export type ClientFinder = {
  /**
   * For a request that a person will be asked about: the document must be good today.
   *
   * @throws {OAuthError} when the id is a URL whose document cannot be used or had
   */
  forAuthorization(clientId: string): Promise<Client | undefined>;
  /**
   * For a request that a client makes by itself. What it was given must not depend on its website being up, so a client we
   * have a row of is found by it when there is no newer word; one whose keys are in the document is not, if the document
   * is gone: a key may have been taken out of it for a reason.
   *
   * @throws {OAuthError} `temporarily_unavailable` when its proof cannot be judged for that
   */
  forAuthentication(clientId: string): Promise<Client | undefined>;
  /** What an operator has just made of a registered client, when this pod did not know it yet. */
  newer(than: Client): Promise<Client | undefined>;
};

export const createClientFinder = (deps: FindDeps): ClientFinder => {
  const { lookups, documents, rows } = deps;

  /** @throws {OAuthError} `invalid_client` for a URL that is not even tried */
  const requireUsableUrl = (clientId: string): void => {
    const problem = clientIdUrlProblem(clientId, deps.policy) ?? targetProblem(clientId, deps.policy);
    if (problem) throw invalidClient('client_document_forbidden', `The client_id is a URL, but it ${problem}.`);
  };

  const forAuthorization: ClientFinder['forAuthorization'] = async (clientId) => {
    const row = await lookups.client(clientId);
    if (!isClientIdUrl(clientId) || (row && row.registrationSource !== 'cimd')) return row;
    if (!deps.enabled) return undefined;
    if (row && row.status !== 'active') return row;
    const mode = await lookups.dcrMode();
    if (mode === 'admin_only')
      throw invalidClient('registration_closed', 'Clients are registered by an administrator here.');
    requireUsableUrl(clientId);
    const document = await documents.get(clientId, { known: row !== undefined });
    requireAllowedRedirects({ mode, vouched: false, redirectUris: document.redirectUris, held: [] }, deps.dcr);
    return rows.merge(document, row);
  };

  return {
    forAuthorization,
    newer: async (than) => (than.registrationSource === 'cimd' ? undefined : lookups.newerClient(than)),

    async forAuthentication(clientId) {
      const row = await lookups.client(clientId);
      if (!isClientIdUrl(clientId) || (row && row.registrationSource !== 'cimd')) return row;
      if (!row) return forAuthorization(clientId);
      const open = deps.enabled && (await lookups.dcrMode()) !== 'admin_only';
      if (!open || row.status !== 'active' || targetProblem(clientId, deps.policy)) return row;
      const document = documents.held(clientId);
      if (document) return rows.follow(document, row);
      if (row.tokenEndpointAuthMethod === 'none') {
        rows.recheck(row);
        return row;
      }
      return documents.get(clientId, { known: true }).then(
        (newer) => rows.follow(newer, row),
        (error: unknown) => {
          if (!(error instanceof OAuthError) || error.reason === 'client_document_invalid') throw error;
          if (row.jwks) throw keysUnavailable('the metadata document at its client_id', error);
          return row;
        },
      );
    },
  };
};

/** What speaks against going there, as far as the URL tells: no secret of ours, its author can read it as well. */
const targetProblem = (url: string, policy: OutboundPolicy): string | undefined => {
  try {
    readTarget(url, policy);
    return undefined;
  } catch (error) {
    if (error instanceof OutboundError) return error.message;
    throw error;
  }
};
