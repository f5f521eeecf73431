import { ClientDeclaration, type CreateClient, entities, UpdateClient } from '@authserver/admin-api';
import type { Config } from '@authserver/config';
import { hashClientSecret } from '@authserver/oauth';
import type { Client } from '@authserver/store';
import type { z } from 'zod';
import type { Call, Handlers } from '../../handlers/handler.ts';
import { type Declaration, type Found, type Kind, pageSize, pagesOf, pick } from '../kind.ts';

export const clientKind = ({ handlers, config }: { handlers: Pick<Handlers, 'client'>; config: Config }): Kind => {
  const { client } = handlers;
  const { create, update, delete: remove } = entities.client.operations;
  const toFound = (row: Client): Found => ({
    key: row.clientId,
    identity: identityOf(row.clientId, row.createdAt.toISOString()),
    params: { id: row.clientId },
    declaration: toDeclaration(row),
    refusal: row.registrationSource === 'admin' ? undefined : 'registered itself, so it is not for files to declare',
    hasSecret: (secret) => {
      const hash = hashClientSecret(secret, config.client_secret_pepper);
      return row.secrets.some((own) => own.expiresAt === undefined && own.hash.equals(hash));
    },
  });

  return {
    name: 'client',
    list: 'clients',
    schema: ClientDeclaration,
    keyOf: ({ client_id }) => String(client_id),
    references: () => [],
    optional: ['status', 'client_secret', 'response_types'],
    changeable: [...Object.keys(UpdateClient.shape), 'status', 'client_secret'],
    obstacle: (wanted, [member]) =>
      (member === 'jwks' || member === 'jwks_uri') && wanted.jwks === undefined && wanted.jwks_uri === undefined
        ? 'cannot be taken away once it is there'
        : undefined,
    operations: { create, change: update, delete: remove },
    deletedFirst: false,

    async find({ clients }, { keys }) {
      return (await clients.findMany(keys)).map(toFound);
    },

    async *pages({ clients }) {
      for await (const rows of pagesOf<Client>((last) => clients.pageOfOperators(last?.clientId ?? '', pageSize)))
        yield rows.map(toFound);
    },

    async create(call, wanted) {
      const { status, ...body } = wanted;
      const created = await client.create({ ...call, params: {}, query, body: body as z.output<typeof CreateClient> });
      await moveTo(client, call, created.client_id, 'active', status);
      return { identity: identityOf(created.client_id, created.issued_at), secret: created.client_secret };
    },

    async change(call, found, wanted, members) {
      const params = { id: found.key };
      if (members.includes('client_secret'))
        await client.rotateSecret({
          ...call,
          ...{ params, query },
          body: { overlap: 0, client_secret: String(wanted.client_secret) },
        });
      const body = pick(
        wanted,
        members.filter((member) => member in UpdateClient.shape),
      );
      if (Object.keys(body).length > 0) await client.update({ ...call, params, query, body });
      if (members.includes('status')) await moveTo(client, call, found.key, found.declaration.status, wanted.status);
    },

    async delete(call, found, { force }) {
      await client.delete({ ...call, params: { id: found.key }, query: { ...query, force }, body: undefined });
    },
  };
};

const query = { dry_run: false };

/** An id may be given again when its client is gone. */
const identityOf = (clientId: string, createdAt: string): string => `${clientId}/${createdAt}`;

/** Along the states a client may take; what is not possible is refused in the words of that operation. */
const moveTo = async (
  client: Pick<Handlers['client'], 'suspend' | 'reactivate' | 'revoke'>,
  call: Call,
  id: string,
  from: unknown,
  to: unknown,
): Promise<void> => {
  if (to === undefined || to === from) return;
  const verb = to === 'suspended' ? 'suspend' : to === 'revoked' ? 'revoke' : 'reactivate';
  await client[verb]({ ...call, params: { id }, query, body: undefined });
};

const toDeclaration = (client: Client): Declaration => ({
  client_id: client.clientId,
  client_name: client.clientName,
  redirect_uris: client.redirectUris,
  grant_types: client.grantTypes,
  token_endpoint_auth_method: client.tokenEndpointAuthMethod,
  application_type: client.applicationType,
  scope: client.ceiling.join(' '),
  ...(client.jwks ? { jwks: client.jwks } : {}),
  ...(client.jwksUri === undefined ? {} : { jwks_uri: client.jwksUri }),
  dpop_bound_access_tokens: client.dpopBoundAccessTokens,
  require_pushed_authorization_requests: client.requirePushedAuthorizationRequests,
  refresh_token_policy: client.refreshTokenPolicy,
  agent: client.agent,
  agent_description: client.agentDescription,
  status: client.status,
});
