import type { Config } from '@authserver/config';
import { hashClientSecret, newClientSecret, OAuthError } from '@authserver/oauth';
import { type Client, type DcrMode, DuplicateRow, type Repositories, type Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { origin } from '../authorization/browser.ts';
import {
  type RegistrationRules,
  type RequestedRegistration,
  readRegistration,
} from '../clients/registration-metadata.ts';
import { toNewClient } from '../clients/registration-record.ts';
import { fingerprintOf, ownRegistrations } from '../clients/registration-sharing.ts';
import { invalidInitialToken, newRegistrationToken, readInitialAccess } from '../clients/registration-tokens.ts';
import { ClientInformation, type Shown, toClientInformation } from '../clients/registration-view.ts';
import type { Limits } from '../limits/limits.ts';
import type { Lookups } from '../lookups.ts';
import { tokenHash } from '../secrets.ts';
import type { Clock } from '../time.ts';
import { noteAttempt } from '../trace/facts.ts';
import { onlyPost } from './methods.ts';

export type RegisterRouteDeps = RegistrationRules & {
  store: Store;
  lookups: Lookups;
  config: Config;
  clock: Clock;
  metrics: Metrics;
  limits: Pick<Limits, 'registration'>;
};

/** Metadata with a handful of keys is a few KiB. What anybody may have us parse and keep is bounded; larger is 413. */
export const longestMetadata = 64 * 1024;

type Registered = { client: Client; shown: Shown; isNew: boolean };

/**
 * Dynamic client registration (RFC 7591 §3), as far as the registration mode allows, or an initial access token does
 * beyond it.
 */
export const registerRoute: FastifyPluginAsyncZod<RegisterRouteDeps> = async (app, deps) => {
  const { store, config } = deps;
  onlyPost(app, '/oauth/register');

  app.post(
    '/oauth/register',
    { schema: { body: z.unknown(), response: { 201: ClientInformation } }, bodyLimit: longestMetadata },
    async (request, reply) => {
      await deps.limits.registration(request);
      const now = deps.clock.now();
      const mode = await deps.lookups.dcrMode();
      const voucher = await readInitialAccess(request, store, now);
      if (!voucher) requireOpen(mode);
      const redirects = { mode, vouched: voucher !== undefined, held: [], settings: config.dcr };
      const requested = readRegistration(request.body, deps, redirects);
      const { redirect_uris: redirectUris } = requested.metadata;

      const { client, shown, isNew } = await register(request, requested, voucher, now);
      if (isNew) deps.metrics.clientsRegistered.inc({ source: 'dcr' });
      noteAttempt(request, { clientId: client.clientId });
      return (
        reply
          .code(201)
          .header('cache-control', 'no-store')
          .header('pragma', 'no-cache')
          // Of a shared client the registered ports may differ, which matter to nobody: each is told its own.
          .send(
            toClientInformation({ ...client, redirectUris }, requested.selfDescription, shown, config.server.issuer),
          )
      );
    },
  );

  const register = async (
    request: FastifyRequest,
    requested: RequestedRegistration,
    voucher: Buffer | undefined,
    now: Date,
  ): Promise<Registered> => {
    const attempt = () => store.transaction((tx) => write(tx, request, requested, voucher, now));
    try {
      return await attempt();
    } catch (error) {
      // Two at once made the shared client of the same metadata. One of them is there now.
      if (error instanceof DuplicateRow) return attempt();
      throw error;
    }
  };

  const write = async (
    tx: Repositories,
    request: FastifyRequest,
    { metadata, selfDescription }: RequestedRegistration,
    voucher: Buffer | undefined,
    now: Date,
  ): Promise<Registered> => {
    const initialToken = voucher && (await tx.initialAccessTokens.redeem(voucher, now));
    if (voucher && !initialToken) throw invalidInitialToken();
    const wanted = toNewClient(metadata, config.oauth.default_client_scope);
    // Whoever was let in by a token has a registration of their own.
    const fingerprint = voucher ? undefined : fingerprintOf(wanted, selfDescription);
    const shares =
      fingerprint !== undefined &&
      (await tx.clientRegistrations.countEqual(fingerprint, ownRegistrations)) >= ownRegistrations;
    const shared = shares && (await tx.clientRegistrations.handOutShared(fingerprint, now));
    if (shared) return { client: shared, shown: {}, isNew: false };

    if (shares) await tx.clientRegistrations.retireShared(fingerprint);
    const client = await tx.clients.insert(wanted);
    const secret = metadata.token_endpoint_auth_method.startsWith('client_secret_') ? newClientSecret() : undefined;
    if (secret) await tx.clients.replaceSecret(client.clientId, hashClientSecret(secret, config.client_secret_pepper));
    const registrationToken = shares ? undefined : newRegistrationToken();
    const registration = {
      tokenHash: registrationToken === undefined ? undefined : tokenHash(registrationToken),
      fingerprint,
      selfDescription,
    };
    await tx.clientRegistrations.attach(client.clientId, registration, now);
    await tx.auditEvents.insert({
      action: 'client.registered',
      at: now,
      clientId: client.clientId,
      details: {
        source: 'dcr',
        name: client.clientName,
        initial_access_token: initialToken,
        shared: shares || undefined,
      },
      ...origin(request),
    });
    return { client, shown: { secret, registrationToken }, isNew: true };
  };
};

/** @throws {OAuthError} `access_denied` when only an administrator, or whoever he gave a token, registers */
const requireOpen = (mode: DcrMode): void => {
  if (mode !== 'admin_only') return;
  throw new OAuthError(
    'access_denied',
    'Clients are registered by an administrator here, or with an initial access token from one.',
    'registration_closed',
    { headers: { 'www-authenticate': 'Bearer realm="authserver"' } },
  );
};
