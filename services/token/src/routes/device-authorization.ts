import { addressKey } from '@authserver/http';
import { newUserCode, OAuthError, showUserCode } from '@authserver/oauth';
import { type Client, type Store, uuidv7 } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyPluginAsync } from 'fastify';
import { readThumbprint } from '../authorization/request.ts';
import { readWishes, type WishesDeps } from '../authorization/wishes.ts';
import type { ClientAuthenticator } from '../clients/authenticate.ts';
import { agreedKey } from '../dpop/binding.ts';
import type { Proofs } from '../dpop/proof.ts';
import { formOf, type Params, readParams } from '../params.ts';
import { randomToken, tokenHash } from '../secrets.ts';
import { after, type Clock } from '../time.ts';
import { onlyPost } from './methods.ts';

export type DeviceAuthorizationRouteDeps = WishesDeps & {
  issuer: string;
  clients: ClientAuthenticator;
  proofs: Proofs;
  dpopEnabled: boolean;
  deviceCodeSeconds: number;
  store: Store;
  clock: Clock;
  metrics: Metrics;
};

const grantType = 'urn:ietf:params:oauth:grant-type:device_code';

/** Seconds between polls, the default of RFC 8628 §3.2. */
const intervalSeconds = 5;

/**
 * Requests of one address that may wait at a time. A public client needs no secret, so this and the lifetime are what
 * bounds the table; it counts addresses and not clients, or a stranger could keep a client's users out.
 */
const mostWaiting = 100;

/** Kept until a person reads it; larger is 413. */
const longestBody = 16 * 1024;

/**
 * Device authorization endpoint (RFC 8628 §3.1): a device without a browser asks for a code that a person enters
 * elsewhere. The request is checked like an authorization request, and again when the person looks at it.
 */
export const deviceAuthorizationRoute: FastifyPluginAsync<DeviceAuthorizationRouteDeps> = async (app, deps) => {
  const { store, metrics } = deps;
  onlyPost(app, '/oauth/device_authorization');

  app.post('/oauth/device_authorization', { bodyLimit: longestBody }, async (request, reply) => {
    const params = readParams(formOf(request));
    deps.clients.notePresented(request, params);
    const now = deps.clock.now();
    deps.proofs.offerNonce(request, reply, now);
    const proof = await deps.proofs.verify(request, '/oauth/device_authorization', now); // first, as at the token endpoint
    const client = await deps.clients.authenticate(request, params);
    if (!client.grantTypes.includes(grantType))
      throw new OAuthError(
        'unauthorized_client',
        `The client is not registered for ${grantType}.`,
        'grant_not_registered',
      );
    await readWishes(params, client, deps);
    const key = deps.dpopEnabled ? agreedKey(readThumbprint(params), proof) : undefined;
    await proof?.claim();

    const deviceCode = randomToken();
    const userCode = await keep(deviceCode, params, client, key, request.ip, now);
    metrics.deviceRequests.inc({ outcome: 'asked' });
    const shown = showUserCode(userCode);
    return reply
      .header('cache-control', 'no-store')
      .header('pragma', 'no-cache')
      .send({
        device_code: deviceCode,
        user_code: shown,
        verification_uri: `${deps.issuer}/device`,
        verification_uri_complete: `${deps.issuer}/device?user_code=${shown}`,
        expires_in: deps.deviceCodeSeconds,
        interval: intervalSeconds,
      });
  });

  /** Stores the request under a user code that nobody else has at the moment. */
  const keep = async (
    deviceCode: string,
    params: Params,
    client: Client,
    dpopJkt: string | undefined,
    ip: string,
    now: Date,
  ): Promise<string> => {
    for (;;) {
      const userCode = newUserCode();
      const outcome = await store.deviceCodes.insert(
        {
          id: uuidv7(now),
          deviceCodeHash: tokenHash(deviceCode),
          userCode,
          clientId: client.clientId,
          scope: params.scope,
          resources: params.resources,
          dpopJkt,
          ip,
          ipKey: addressKey(ip),
          createdAt: now,
          expiresAt: after(now, deps.deviceCodeSeconds),
          intervalSeconds,
        },
        mostWaiting,
      );
      if (outcome === 'inserted') return userCode;
      if (outcome === 'full') throw tooMany();
    }
  };

  const tooMany = (): OAuthError => {
    metrics.deviceRequests.inc({ outcome: 'refused_full' });
    return new OAuthError('slow_down', 'Too many devices of this address wait to be allowed.', 'device_codes_full', {
      status: 429,
      headers: { 'retry-after': '60' },
    });
  };
};
