import { createHash } from 'node:crypto';
import { temporarilyUnavailable } from '@authserver/oauth';
import type { Kept, SingleUse, SingleUseKind } from './single-use.ts';
import type { Statements } from './statements.ts';

type Waiting = {
  kind: SingleUseKind;
  keyHash: Buffer;
  kept: Kept;
  resolve: (won: boolean) => void;
  reject: (error: unknown) => void;
};

/**
 * Single use in PostgreSQL: the primary key decides the race.
 *
 * Group commit, as for issuances: while statements are in flight the next claims gather and go out together when one
 * returns. No timer, so an idle server adds no delay. When the database does not answer, those who wait behind are
 * refused with the batch that failed, instead of each waiting as long again.
 */
export const singleUseInPostgres = (db: Statements, limits = { queue: 8192, batch: 256, inFlight: 2 }): SingleUse => {
  const queue: Waiting[] = [];
  let inFlight = 0;
  let scheduled = false;

  const flush = (): void => {
    scheduled = false;
    while (queue.length > 0 && inFlight < limits.inFlight) {
      const batch = queue.splice(0, limits.batch);
      inFlight += 1;
      claimTogether(db, batch)
        .catch((error: unknown) => {
          for (const waiting of [...batch, ...queue.splice(0)]) waiting.reject(error);
        })
        .finally(() => {
          inFlight -= 1;
          flush();
        });
    }
  };

  return {
    claim: (kind, key, kept) =>
      new Promise<boolean>((resolve, reject) => {
        if (queue.length >= limits.queue) {
          reject(temporarilyUnavailable(new Error('too many claims are waiting to be recorded')));
          return;
        }
        queue.push({ kind, keyHash: hashOf(key), kept, resolve, reject });
        if (!scheduled && inFlight < limits.inFlight) {
          scheduled = true;
          setImmediate(flush);
        }
      }),

    async isClaimed(kind, key) {
      const { rowCount } = await db.query(
        'single_use_is_claimed',
        'select 1 from single_use where kind = $1 and key_hash = $2 and expires_at > statement_timestamp()',
        [kind, hashOf(key)],
      );
      return rowCount > 0;
    },
  };
};

/**
 * One statement for many claims. A row cannot be touched twice in it, so of equal claims only the first is sent: it wins
 * or loses like any other, and the rest have lost either way. Rows are taken in one order everywhere, so that two batches
 * with several keys in common wait for each other instead of deadlocking.
 */
const claimTogether = async (db: Statements, batch: readonly Waiting[]): Promise<void> => {
  const first = new Map<string, Waiting>();
  for (const waiting of batch) {
    const id = identify(waiting.kind, waiting.keyHash);
    if (!first.has(id)) first.set(id, waiting);
  }
  const asked = [...first.values()];
  const { rows } = await db.query(
    'single_use_claim_many',
    `insert into single_use (kind, key_hash, expires_at)
     select kind, key_hash, ends_at
       from unnest($1::text[], $2::bytea[], $3::timestamptz[], $4::float8[]) as claim (kind, key_hash, until, seconds),
            lateral (select coalesce(until, statement_timestamp() + make_interval(secs => seconds)) as ends_at) as life
      where ends_at > statement_timestamp()
      order by kind, key_hash
     on conflict (kind, key_hash) do update set expires_at = excluded.expires_at
      where single_use.expires_at <= statement_timestamp()
     returning kind, key_hash`,
    [
      asked.map(({ kind }) => kind),
      asked.map(({ keyHash }) => keyHash),
      asked.map(({ kept }) => ('until' in kept ? kept.until : null)),
      asked.map(({ kept }) => ('until' in kept ? null : kept.forSeconds)),
    ],
  );
  const won = new Set(rows.map(({ kind, key_hash }) => identify(kind as string, key_hash as Buffer)));
  for (const waiting of batch) {
    const id = identify(waiting.kind, waiting.keyHash);
    waiting.resolve(won.has(id) && first.get(id) === waiting);
  }
};

const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest();

const identify = (kind: string, keyHash: Buffer): string => `${kind} ${keyHash.toString('base64')}`;
