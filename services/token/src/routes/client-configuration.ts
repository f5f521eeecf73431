import type { Config } from '@authserver/config';
import { OAuthError } from '@authserver/oauth';
import type { Registration, Repositories, Store } from '@authserver/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { origin } from '../authorization/browser.ts';
import type { RegistrationRules } from '../clients/registration-metadata.ts';
import { readReplacement, toReplacement } from '../clients/registration-record.ts';
import {
  bearerOf,
  invalidRegistrationToken,
  newRegistrationToken,
  requireRegistrant,
} from '../clients/registration-tokens.ts';
import { ClientInformation, type Shown, toClientInformation } from '../clients/registration-view.ts';
import type { Limits } from '../limits/limits.ts';
import type { Lookups } from '../lookups.ts';
import { tokenHash } from '../secrets.ts';
import type { Clock } from '../time.ts';
import { noteAttempt } from '../trace/facts.ts';
import { longestMetadata } from './register.ts';

export type ClientConfigurationRouteDeps = RegistrationRules & {
  store: Store;
  lookups: Lookups;
  config: Config;
  clock: Clock;
  limits: Pick<Limits, 'registration'>;
};

const url = '/oauth/register/:client_id';
const params = z.object({ client_id: z.string() });
type Asking = FastifyRequest<{ Params: z.infer<typeof params> }>;

/**
 * The client configuration endpoint (RFC 7592 §2): a client that registered itself reads, replaces or ends its own
 * registration, with the token it got for that alone. What an operator decided about it stays as it is.
 */
export const clientConfigurationRoute: FastifyPluginAsyncZod<ClientConfigurationRouteDeps> = async (app, deps) => {
  const { store, config } = deps;
  const schema = { params, response: { 200: ClientInformation } };

  app.get(url, { schema }, async (request, reply) => {
    const registration = await registrantOf(store, request);
    return show(reply, registration, { registrationToken: bearerOf(request) });
  });

  app.put(url, { schema: { ...schema, body: z.unknown() }, bodyLimit: longestMetadata }, async (request, reply) => {
    await registrantOf(store, request); // a stranger's body is not even read for its mistakes
    await deps.limits.registration(request); // each leaves an audit event, as a registration does
    const mode = await deps.lookups.dcrMode();
    const now = deps.clock.now();
    const registrationToken = newRegistrationToken();
    const registration = await store.transaction(async (tx) => {
      // Judged again under the lock: another update may have changed the client, or the token.
      const before = await registrantOf(tx, request, { lock: true });
      const requested = readReplacement(request.body, before.client, {
        ...deps,
        clientSecretPepper: config.client_secret_pepper,
        now,
        redirects: { mode, vouched: false, held: before.client.redirectUris, settings: config.dcr },
      });
      const replacement = toReplacement(before, requested, tokenHash(registrationToken));
      await tx.clientRegistrations.replace(replacement, now);
      await record(tx, request, 'client.registration_updated', now, {
        before: shownOf(before),
        after: shownOf({ client: { ...before.client, ...replacement } }),
      });
      return tx.clientRegistrations.find(before.client.clientId);
    });
    const { client_secret: secret } = request.body as { client_secret?: string };
    return show(reply, registration as Registration, { secret, registrationToken });
  });

  app.delete(url, { schema: { params } }, async (request, reply) => {
    const now = deps.clock.now();
    await store.transaction(async (tx) => {
      const { client } = await registrantOf(tx, request);
      const { clientId } = client;
      // Consents before families before the client: everybody takes these locks in this order.
      await tx.consentGrants.lockOf({ clientId });
      await tx.tokenFamilies.revokeAll({ clientId }, 'client_deleted', now);
      // Rows of issued tokens outlive the client; the marker is what makes them dead.
      await tx.revocationMarkers.set('client', clientId, now);
      if (client.firstUserId) await tx.clientTombstones.set(clientId, 'deleted', now);
      if (!(await tx.clients.delete(clientId))) throw invalidRegistrationToken(); // another request was faster
      await record(tx, request, 'client.unregistered', now, { before: shownOf({ client }) });
    });
    return reply.code(204).header('cache-control', 'no-store').send();
  });

  app.route({
    method: ['POST', 'PATCH'],
    url,
    handler: async () => {
      throw new OAuthError('method_not_allowed', 'Use GET, PUT or DELETE.', 'invalid_request', {
        headers: { allow: 'GET, HEAD, PUT, DELETE, OPTIONS' },
      });
    },
  });

  const registrantOf = async (
    { clientRegistrations }: Pick<Repositories, 'clientRegistrations'>,
    request: Asking,
    options: { lock?: boolean } = {},
  ): Promise<Registration> => {
    const held = await clientRegistrations.find(request.params.client_id, options);
    const registration = requireRegistrant(held, bearerOf(request));
    noteAttempt(request, { clientId: registration.client.clientId });
    return registration;
  };

  const show = (reply: FastifyReply, { client, selfDescription }: Registration, shown: Shown) =>
    reply
      .code(200)
      .header('cache-control', 'no-store')
      .header('pragma', 'no-cache')
      .send(toClientInformation(client, selfDescription, shown, config.server.issuer));
};

/** The audit event, and the hint that lets every pod forget the client it knew. Last in its transaction. */
const record = async (
  tx: Repositories,
  request: Asking,
  action: 'client.registration_updated' | 'client.unregistered',
  now: Date,
  details: Record<string, unknown>,
): Promise<void> => {
  const { client_id: clientId } = request.params;
  await tx.auditEvents.insert({ action, at: now, clientId, details, ...origin(request) });
  await tx.changes.record('client', clientId);
};

const shownOf = ({ client }: Pick<Registration, 'client'>) => ({
  name: client.clientName,
  redirect_uris: client.redirectUris,
  grant_types: client.grantTypes,
});
