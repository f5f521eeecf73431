import { uuidv7 } from '@authserver/store';
import type { AuthServer } from './auth-server.ts';

/** What a provider of the protocol `oauth` needs. */
export const github = {
  client_id: 'id-at-github',
  client_secret_ref: 'CONNECTOR_GITHUB_SECRET',
  authorize_url: 'https://github.com/login/oauth/authorize',
  token_url: 'https://github.com/login/oauth/access_token',
};

/** A provider nobody uses yet. */
export const newProvider = (server: AuthServer, options: { slug?: string } = {}) =>
  server.admin.provider.create({
    body: {
      slug: options.slug ?? `up-${crypto.randomUUID().slice(0, 8)}`,
      display_name: 'Upstream',
      protocol: 'oauth',
      config_data: github,
    },
  });

/** What stands in the database for an account a user connected. The credential is a canary no answer may have in it. */
export const brokerGrant = async (
  server: AuthServer,
  { userId, providerId, credential = 'credential-canary' }: { userId: string; providerId: string; credential?: string },
): Promise<string> => {
  const id = uuidv7(new Date());
  await server.sql(
    `insert into broker_grants (id, user_id, broker_provider_id, scopes_granted, enc_credential, enc_backend)
     values ($1, $2, $3, '{repo,gist}', $4, 'aes_master')`,
    [id, userId, providerId, Buffer.from(credential)],
  );
  return id;
};

/** Two mint resources and what of one becomes what of the other. */
export const newLink = async (server: AuthServer) => {
  const [source, target] = [await server.resource(), await server.resource()];
  const scope_map = { 'tools/read': ['tools/read'], 'tools/write': ['tools/read', 'tools/write'] };
  const link = await server.admin.fronting.create({ body: { source: source.slug, target: target.slug, scope_map } });
  return { source, target, scope_map, link };
};
