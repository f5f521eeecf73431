import { type KeyRecord, type Rotation, signsFrom } from '@authserver/keys';
import type { Change } from '../handlers/handler.ts';

/** A rotation as the audit trail keeps it, and as the token plane is told. */
export const rotationChange = (
  { kid, alg, previous }: Rotation,
  why: { force: boolean; reason?: string | undefined },
): Change => ({
  action: 'key.rotated',
  feed: { kind: 'signing_key', key: kid },
  details: {
    force: why.force,
    ...(why.reason === undefined ? {} : { reason: why.reason }),
    before: { kid: previous },
    after: { kid, alg },
  },
});

/** The keys beside the new current one, for whoever rotated. */
export const neighboursOf = ({ records, previous }: Rotation) => {
  const next = records.find(({ state }) => state === 'next');
  const before = records.find(({ kid }: KeyRecord) => kid === previous);
  return {
    ...(next ? { next: { kid: next.kid, alg: next.alg, signs_from: signsFrom(next).toISOString() } } : {}),
    ...(before?.goneAfter ? { previous: { kid: previous, gone_after: before.goneAfter.toISOString() } } : {}),
  };
};
