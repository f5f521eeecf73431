import type { Keyring } from '@authserver/keys';
import { type GrantType, serverMetadata } from '@authserver/oauth';
import type { DcrMode } from '@authserver/store';
import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { supportedAcrs, supportedPrompts } from '../authorization/prompts.ts';
import { responseModes } from '../authorization/response-mode.ts';
import type { Lookups, ResourceCatalog } from '../lookups.ts';
import { sendDocument } from './document.ts';
import { oncePer } from './once-per.ts';

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

const maxAgeSeconds = 300;
const noResources = { scopes: [] };

/**
 * Authorization server metadata (RFC 8414 §3), at the OAuth and the OpenID Connect suffix, and inserted between host and
 * path where the issuer has a path. Answers without the database, from what was known last.
 */
export const serverMetadataRoute: FastifyPluginAsync<ServerMetadataRouteDeps> = async (app, deps) => {
  const write = oncePer((mode: DcrMode, scopes: readonly string[], signingAlgorithm: string) =>
    JSON.stringify(
      serverMetadata(deps.issuer, {
        grantTypes: deps.enabledGrants,
        registration: mode !== 'admin_only',
        clientIdMetadataDocuments: deps.clientDocumentsEnabled && mode !== 'admin_only',
        scopes,
        dpop: deps.dpopEnabled,
        signingAlgorithms: [signingAlgorithm],
        requirePushed: deps.requirePushed,
        acrs: supportedAcrs,
        prompts: supportedPrompts,
        responseModes,
      }),
    ),
  );
  const send = (reply: FastifyReply, mode: DcrMode, { scopes }: Pick<ResourceCatalog, 'scopes'>): void => {
    sendDocument(reply, write(mode, scopes, deps.keyring.current().alg), maxAgeSeconds);
  };
  const document = (reply: FastifyReply): Promise<void> | void => {
    const held = deps.lookups.held();
    return held ? send(reply, held.dcrMode, held.resources) : documentOfLastKnown(reply);
  };
  const documentOfLastKnown = async (reply: FastifyReply): Promise<void> => {
    const { lastKnown } = deps.lookups;
    const [mode, catalog] = await Promise.all([
      lastKnown.dcrMode().catch(() => 'admin_only' as const),
      lastKnown.resources().catch(() => noResources),
    ]);
    send(reply, mode, catalog);
  };
  for (const suffix of ['oauth-authorization-server', 'openid-configuration']) {
    app.get(`/.well-known/${suffix}`, (_request, reply) => document(reply));
    if (deps.basePath !== '') app.get(`/.well-known/${suffix}${deps.basePath}`, (_request, reply) => document(reply));
  }
};
