import { invalidGrant, OAuthError } from '@authserver/oauth';
import type { PolledDevice, Store } from '@authserver/store';
import { z } from 'zod';
import { requireKey } from '../dpop/binding.ts';
import { tokenHash } from '../secrets.ts';
import type { Replays } from '../tokens/replays.ts';
import { defineGrant } from './grant.ts';
import { type RedeemCode, requireStanding } from './redeem-code.ts';

export type DeviceCodeDeps = {
  store: Pick<Store, 'authorizationCodes' | 'deviceCodes'>;
  replays: Replays;
  redeemCode: RedeemCode;
};

const type = 'urn:ietf:params:oauth:grant-type:device_code';

/**
 * Device authorization grant (RFC 8628 §3.4): a device asks again and again until the person has answered elsewhere. A
 * poll is one statement. What the person allowed is kept as an authorization code under the same hash, so it is checked
 * and spent by the same rules.
 *
 * A device stops asking once it has its tokens. Asked for a second time, the code is in other hands as well, and what it
 * produced is revoked (RFC 9700 §4.5 has the rule for codes; decision 0005 why also in a race).
 */
export const deviceCode = ({ store, replays, redeemCode }: DeviceCodeDeps) =>
  defineGrant({
    type,
    params: z.object({
      device_code: z.string({ error: 'device_code is missing' }),
      resources: z.array(z.string()),
    }),

    async authorize(params, context) {
      const { client, proof, now } = context;
      const hash = tokenHash(params.device_code);
      const device = await store.deviceCodes.poll(hash, client.clientId, now);
      if (!device) throw invalidGrant('device_code_unknown');
      if (device.clientId !== client.clientId) throw invalidGrant('code_other_client');
      requireAllowed(device, now);
      const code = await store.authorizationCodes.find(hash);
      if (!code) throw invalidGrant('consent_revoked'); // with the user or the consent
      requireKey(code.dpopJkt, proof);
      if (code.redeemedAt) {
        // A request that was recorded and sent again proves no key and says nothing about the code.
        await proof?.claim();
        await replays.codeReused(code, true, now);
        throw invalidGrant('device_code_used');
      }
      if (code.expiresAt <= now) throw expired();
      requireStanding(code);
      return redeemCode(type, code, params.resources, context);
    },
  });

/** @throws {OAuthError} the codes of RFC 8628 §3.5, all of them with status 400 */
const requireAllowed = ({ decision, tooFast, expiresAt, intervalSeconds }: PolledDevice, now: Date): void => {
  if (decision === 'allowed') return;
  if (expiresAt <= now) throw expired();
  if (decision === 'denied')
    throw new OAuthError('access_denied', 'The user refused.', 'device_denied', { status: 400 });
  if (tooFast) throw new OAuthError('slow_down', `Ask every ${intervalSeconds} seconds at most.`, 'device_too_fast');
  throw new OAuthError('authorization_pending', 'The user has not answered yet.', 'device_pending');
};

const expired = (): OAuthError =>
  new OAuthError('expired_token', 'The device code has expired; start again.', 'device_code_expired');
