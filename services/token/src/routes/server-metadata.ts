import type { Keyring } from '@authserver/keys';
import { type GrantType, serverMetadata } from '@authserver/oauth';
import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { supportedAcrs, supportedPrompts } from '../authorization/prompts.ts';
import { responseModes } from '../authorization/response-mode.ts';
import type { Lookups } from '../lookups.ts';

export type ServerMetadataRouteDeps = {
  issuer: string;
  /** Path of the issuer, `''` for a root issuer. */
  basePath: string;
  enabledGrants: readonly GrantType[];
  clientDocumentsEnabled: boolean;
  lookups: Lookups;
  dpopEnabled: boolean;
  keyring: Pick<Keyring, 'current'>;
  requirePushed: boolean;
};

/**
 * Authorization server metadata (RFC 8414 §3), at the OAuth and the OpenID Connect suffix, and inserted between host and
 * path where the issuer has a path. Answers without the database, from what was known last.
 */
export const serverMetadataRoute: FastifyPluginAsync<ServerMetadataRouteDeps> = async (app, deps) => {
  const document = async (reply: FastifyReply) => {
    const [mode, catalog] = await Promise.all([
      deps.lookups.lastKnown.dcrMode().catch(() => 'admin_only' as const),
      deps.lookups.lastKnown.resources().catch(() => ({ scopes: [] })),
    ]);
    return reply
      .header('cache-control', 'public, max-age=300')
      .type('application/json')
      .send(
        JSON.stringify(
          serverMetadata(deps.issuer, {
            grantTypes: deps.enabledGrants,
            registration: mode !== 'admin_only',
            clientIdMetadataDocuments: deps.clientDocumentsEnabled && mode !== 'admin_only',
            scopes: catalog.scopes,
            dpop: deps.dpopEnabled,
            signingAlgorithms: [deps.keyring.current().alg],
            requirePushed: deps.requirePushed,
            acrs: supportedAcrs,
            prompts: supportedPrompts,
            responseModes,
          }),
        ),
      );
  };
  for (const suffix of ['oauth-authorization-server', 'openid-configuration']) {
    app.get(`/.well-known/${suffix}`, (_request, reply) => document(reply));
    if (deps.basePath !== '') app.get(`/.well-known/${suffix}${deps.basePath}`, (_request, reply) => document(reply));
  }
};
