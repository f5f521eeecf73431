import type { Config } from '@authserver/config';
import { endOfTurn } from '@authserver/http';
import { includesAll, intersectScopes, invalidScope, OAuthError, parseScope, toErrorText } from '@authserver/oauth';
import type { Store } from '@authserver/store';
import { z } from 'zod';
import type { Lookups } from '../lookups.ts';
import { catalogScopes, defaultScopes, offeredAt } from '../scopes.ts';
import { namedResources } from '../targets.ts';
import { defineGrant } from './grant.ts';

export type ClientCredentialsDeps = {
  store: Pick<Store, 'issuances'>;
  lookups: Lookups;
  config: Pick<Config, 'client_credentials' | 'oauth' | 'server'>;
};

/** Client credentials grant (RFC 6749 §4.4): a machine as itself. Reads nothing; its one write is the issuance row. */
export const clientCredentials = ({ store, lookups, config }: ClientCredentialsDeps) =>
  defineGrant({
    type: 'client_credentials',
    params: z.object({ scope: z.string().optional(), resources: z.array(z.string()) }),

    async authorize(params, { client }) {
      if (client.tokenEndpointAuthMethod === 'none')
        throw new OAuthError('unauthorized_client', 'A public client may not act as itself.', 'client_method_mismatch');
      if (client.ceiling.length === 0)
        throw invalidScope('The client has no scope registered, so there is nothing to grant.', 'scope_empty');
      const asked = parseScope(params.scope);
      if (asked && !includesAll(client.ceiling, asked))
        throw invalidScope('The scope exceeds what the client is registered for.', 'scope_outside_ceiling');

      const catalog = await lookups.resources();
      const resources = namedResources(params.resources, catalog, config.oauth.default_resource);
      const offered = asked ? catalogScopes(catalog, resources) : defaultScopes(catalog, resources);
      const scopes =
        resources.length === 0 ? (asked ?? client.ceiling) : intersectScopes(asked ?? client.ceiling, offered);
      for (const { id, uri = '' } of resources)
        if (intersectScopes(scopes, offeredAt(catalog, id, client)).length === 0)
          throw invalidScope(toErrorText(`None of the scopes is offered at ${uri}.`), 'scope_outside_catalog');

      // Who has read something comes back with others; nothing is read here, so they wait for each other (decision 0042).
      await endOfTurn();
      const [first, ...further] = resources;
      return {
        grantType: 'client_credentials',
        client,
        subject: client.clientId,
        subjectUserId: undefined,
        scopes,
        resource: { id: first?.id, audience: first?.uri ?? config.server.issuer },
        furtherTargets: further.map(({ id, uri = '' }) => ({
          resourceId: id,
          resource: uri,
          consentGrantId: undefined,
        })),
        authTime: undefined,
        familyId: undefined,
        consentGrantId: undefined,
        ttlSeconds: config.client_credentials.token_expiry,
        refreshToken: undefined,
        commit: (issuance) => store.issuances.insert(issuance),
      };
    },
  });
