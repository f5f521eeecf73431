import { createHash, timingSafeEqual } from 'node:crypto';
import { addressKey, Problem } from '@authserver/http';
import { hashClientSecret } from '@authserver/oauth';
import type { Store } from '@authserver/store';
import type { FastifyRequest } from 'fastify';
import type { FailedKeys } from './failed-keys.ts';
import { type Identity, setIdentity } from './identity.ts';
import { adminKeyStatus, looksLikeAdminKey } from './key.ts';
import type { KeyUse } from './key-use.ts';

export type GuardDeps = {
  /** `admin.api_key`, configured or generated: that of the owner who is always there. */
  rootKey: string | undefined;
  rootActor: string;
  adminKeys: Pick<Store['adminKeys'], 'findByHash'>;
  pepper: string | undefined;
  failedKeys: FailedKeys;
  keyUse: KeyUse;
  clock: { now(): Date };
};

/**
 * What every admin route sits behind: `Authorization: Bearer <key>` (RFC 6750 §2.1), the key being one of ours or the
 * configured one. Keys are compared by digest or found by hash, so neither time nor length shows how near a guess was.
 * One that is unknown, expired or revoked is read anew with every request and refused in the same words.
 *
 * After too many wrong keys the configured key is not looked at any more for requests from that address, because somebody
 * chose it and it might be guessed. That holds for the right one too, else guessing would go on. A key of ours cannot be
 * guessed, so its owner is let in whatever others do at that address.
 *
 * Missing keys are not counted: they are no guesses.
 *
 * @throws {Problem} `unauthorized`, `too_many_requests`
 */
export const createGuard = ({ rootKey, rootActor, adminKeys, pepper, failedKeys, keyUse, clock }: GuardDeps) => {
  const rootDigest = rootKey ? digest(rootKey) : undefined;

  const identify = async (request: FastifyRequest): Promise<Identity> => {
    const given = /^bearer +(.+?) *$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given === undefined) throw unauthorized('The admin API key is missing.');
    const key = looksLikeAdminKey(given) ? await adminKeys.findByHash(hashClientSecret(given, pepper)) : undefined;
    const status = key ? adminKeyStatus(key, clock.now()) : 'unknown';
    if (key && status === 'active') {
      keyUse.note(key);
      return { actorId: `key:${key.id}`, role: key.role, key: { id: key.id, label: key.label } };
    }

    const { ip, headers } = request;
    const failure = { address: addressKey(ip), ip, userAgent: headers['user-agent'], keyId: key?.id };
    const until = await failedKeys.limitedUntil(failure.address);
    if (until !== undefined) {
      await failedKeys.count({ ...failure, reason: 'limited' });
      throw tooMany(until, clock.now());
    }
    if (rootDigest && timingSafeEqual(digest(given), rootDigest)) return { actorId: rootActor, role: 'owner' };
    await failedKeys.count({ ...failure, reason: status === 'active' ? 'unknown' : status });
    throw unauthorized('The admin API key is not valid.');
  };

  return async (request: FastifyRequest): Promise<void> => setIdentity(request, await identify(request));
};

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const unauthorized = (detail: string): Problem =>
  new Problem('unauthorized', detail, { headers: { 'www-authenticate': 'Bearer realm="admin"' } });

const tooMany = (until: Date, now: Date): Problem =>
  new Problem('too_many_requests', 'Too many wrong admin API keys came from this address.', {
    headers: { 'retry-after': String(Math.max(1, Math.ceil((until.getTime() - now.getTime()) / 1000))) },
  });
