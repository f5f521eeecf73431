import { dpopAlgorithms, OAuthError, resourceKey } from '@authserver/oauth';
import type { Resource } from '@authserver/store';
import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import type { Lookups, ResourceCatalog } from '../lookups.ts';
import { sendDocument } from './document.ts';

const maxAgeSeconds = 300;

export type ResourceMetadataRouteDeps = {
  issuer: string;
  lookups: Lookups;
  config: { dpop: { enabled: boolean; require: boolean } };
};

/**
 * Protected resource metadata (RFC 9728) for MCP servers that do not serve their own: found by the path of the resource's
 * URI (§3.1) or by its slug.
 */
export const resourceMetadataRoute: FastifyPluginAsync<ResourceMetadataRouteDeps> = async (app, deps) => {
  const base = '/.well-known/oauth-protected-resource';
  const origin = new URL(deps.issuer).origin;
  const { dpop } = deps.config;

  /** Only where tokens are bound for certain: a client that reads it sends them no other way (RFC 9728 §2). */
  const keyBinding = ({ dpopBoundAccessTokensRequired }: Resource) =>
    dpop.enabled && (dpop.require || dpopBoundAccessTokensRequired)
      ? { dpop_bound_access_tokens_required: true, dpop_signing_alg_values_supported: dpopAlgorithms }
      : {};

  const send = (reply: FastifyReply, resource: Resource | undefined) => {
    if (!resource?.uri || resource.backendKind !== 'mint')
      throw new OAuthError('not_found', 'No such resource.', 'not_found');
    const document = {
      resource: resource.uri,
      authorization_servers: [deps.issuer],
      ...(resource.scopes.length > 0 ? { scopes_supported: resource.scopes.map(({ name }) => name) } : {}),
      bearer_methods_supported: ['header'],
      ...keyBinding(resource),
      ...(resource.displayName ? { resource_name: resource.displayName } : {}),
    };
    return sendDocument(reply, JSON.stringify(document), maxAgeSeconds);
  };

  app.get(base, async (_request, reply) => send(reply, (await deps.lookups.lastKnown.resources()).find(origin)));
  app.get<{ Params: { '*': string } }>(`${base}/*`, async (request, reply) => {
    const reference = request.params['*'];
    return send(reply, findByReference(await deps.lookups.lastKnown.resources(), reference, origin));
  });
};

/**
 * A path may belong to several hosts. The one on our own origin is meant first, then the only one there is; where it is
 * ambiguous nothing is served, because a client must find its own URL in the answer (§3.3).
 */
const findByReference = (catalog: ResourceCatalog, reference: string, origin: string): Resource | undefined => {
  const own = catalog.find(`${origin}/${reference}`);
  if (own) return own;
  const sameUriPath = catalog.all.filter(({ uri }) => uri !== undefined && pathAndQuery(uri) === `/${reference}`);
  return sameUriPath.length === 1 ? sameUriPath[0] : catalog.all.find(({ slug }) => slug === reference);
};

const pathAndQuery = (uri: string): string | undefined => resourceKey(uri)?.replace(/^[^:]+:\/\/[^/]+/, '');
