/** What the database says at the end, held against what was given out. */
import type { Ledger } from '../ledger.ts';
import type { World } from '../world.ts';

const CHUNK = 2_000;

/** Every token that was given out has its row. */
export const checkRows = async ({ cluster, violations }: World, jtis: readonly string[]): Promise<void> => {
  for (let start = 0; start < jtis.length; start += CHUNK) {
    const chunk = jtis.slice(start, start + CHUNK);
    const missing = await cluster.postgres.query<{ jti: string }>(
      'select jti from unnest($1::uuid[]) as jti where not exists (select 1 from issuances where id = jti)',
      [chunk],
    );
    for (const _ of chunk) violations.checked('row-for-token');
    for (const { jti } of missing) violations.add('row-for-token', `there is no row for ${jti}`);
  }
};

/** What is left of codes and refresh tokens shows whether one was ever honoured twice. */
export const checkFamilies = async ({ cluster, violations }: World): Promise<void> => {
  const questions = {
    'a family began twice': `select family_id::text as id from issuances
       where grant_type = 'authorization_code' group by 1 having count(*) > 1`,
    'a family has two refresh tokens that are not spent': `select family_id::text as id from refresh_tokens
       where spent_at is null group by 1 having count(*) > 1`,
    'a refresh token is the successor of two': `select encode(successor_hash, 'hex') as id from refresh_tokens
       where successor_hash is not null group by 1 having count(*) > 1`,
    'a successor was promised and is not there': `select encode(t.successor_hash, 'hex') as id from refresh_tokens t
       where t.successor_hash is not null
         and not exists (select 1 from refresh_tokens s where s.token_hash = t.successor_hash)`,
  };
  for (const [wrong, question] of Object.entries(questions)) {
    violations.checked('one-successor');
    for (const { id } of await cluster.postgres.query<{ id: string }>(question))
      violations.add('one-successor', `${wrong}: ${id}`);
  }
};

/**
 * What a request that was held may have ended ({@link Ledger.doubt}) was ended as a code or refresh token that came twice, or
 * lives: there is no other reason for which it could have.
 */
export const checkDoubts = async ({ cluster, ledger, violations }: World): Promise<void> => {
  const doubted = ledger.doubted().map(({ jti }) => jti);
  const ended = await cluster.postgres.query<{ jti: string; reason: string }>(
    `select i.id as jti, coalesce(f.revoked_reason, 'itself') as reason
     from issuances i join token_families f on f.id = i.family_id
     where i.id = any($1::uuid[]) and (f.revoked_at is not null or i.revoked_at is not null)
       and coalesce(f.revoked_reason, 'itself') <> all (array['refresh_reuse', 'code_reuse'])`,
    [doubted],
  );
  for (const _ of doubted) violations.checked('live-stays-live');
  for (const { jti, reason } of ended) violations.add('live-stays-live', `${jti} was ended by ${reason}`);
};
