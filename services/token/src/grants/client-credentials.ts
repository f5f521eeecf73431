import type { Config } from '@authserver/config';
import { includesAll, intersectScopes, invalidScope, invalidTarget, OAuthError, parseScope } from '@authserver/oauth';
import type { IssuanceWriter, Resource } from '@authserver/store';
import { z } from 'zod';
import type { Lookups } from '../lookups.ts';
import { defaultScopes } from '../scopes.ts';
import { defineGrant } from './grant.ts';

export type ClientCredentialsDeps = {
  issuances: IssuanceWriter;
  lookups: Lookups;
  config: Pick<Config, 'client_credentials' | 'server'>;
};

/** Client credentials grant (RFC 6749 §4.4): a machine as itself. Reads nothing; its one write is the issuance row. */
export const clientCredentials = ({ issuances, lookups, config }: ClientCredentialsDeps) =>
  defineGrant({
    type: 'client_credentials',
    params: z.object({ scope: z.string().optional(), resources: z.array(z.string()) }),

    async authorize(params, { client }) {
      if (client.tokenEndpointAuthMethod === 'none')
        throw new OAuthError('unauthorized_client', 'A public client may not act as itself.', 'client_method_mismatch');
      if (params.resources.length > 1) throw invalidTarget('Only one resource per request is supported.');
      if (client.ceiling.length === 0)
        throw invalidScope('The client has no scope registered, so there is nothing to grant.', 'scope_empty');
      const asked = parseScope(params.scope);
      if (asked && !includesAll(client.ceiling, asked))
        throw invalidScope('The scope exceeds what the client is registered for.', 'scope_outside_ceiling');

      const catalog = await lookups.resources();
      const indicator = params.resources[0];
      const resource = indicator === undefined ? undefined : catalog.find(indicator);
      if (indicator !== undefined && (!resource?.uri || resource.backendKind !== 'mint'))
        throw invalidTarget('The resource is not known here.');
      const scopes = resource ? atResource(resource, asked, client.ceiling) : (asked ?? client.ceiling);
      if (scopes.length === 0)
        throw invalidScope('The resource offers none of the requested scopes.', 'scope_outside_catalog');

      return {
        grantType: 'client_credentials',
        client,
        subject: client.clientId,
        subjectUserId: undefined,
        scopes,
        resource: { id: resource?.id, audience: resource?.uri ?? config.server.issuer },
        authTime: undefined,
        familyId: undefined,
        consentGrantId: undefined,
        ttlSeconds: config.client_credentials.token_expiry,
        refreshToken: undefined,
        commit: (issuance) => issuances.write(issuance),
      };

      function atResource(at: Resource, wanted: readonly string[] | undefined, ceiling: readonly string[]): string[] {
        const offered = wanted ? at.scopes.map(({ name }) => name) : defaultScopes(catalog, at);
        return intersectScopes(wanted ?? ceiling, offered);
      }
    },
  });
