/** What the database says at the end, held against what was given out. */
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
    'a family comes of no code, so a code had two': `select id::text from token_families f
       where not exists (select 1 from authorization_codes c where c.family_id = f.id)`,
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

/** Why a family ends when one of its codes or refresh tokens comes twice. */
const thefts = ['refresh_reuse', 'code_reuse'];

/**
 * Nothing is held any more, so the rows settle each doubt: the family has ended as one whose code or refresh token came twice,
 * there being no other reason for which it could have, or it lives. What the pods say afterwards must agree.
 */
export const checkDoubts = async ({ cluster, ledger, violations }: World): Promise<void> => {
  const doubted = new Map(ledger.doubted().map((token) => [token.jti, token]));
  const rows = await cluster.postgres.query<{ jti: string; reason: string | null }>(
    `select i.id as jti, case when i.revoked_at is not null then 'itself'
                              when f.revoked_at is not null then f.revoked_reason end as reason
       from issuances i join token_families f on f.id = i.family_id where i.id = any($1::uuid[])`,
    [[...doubted.keys()]],
  );
  for (const { jti, reason } of rows) {
    violations.checked('live-stays-live');
    if (reason !== null && !thefts.includes(reason)) violations.add('live-stays-live', `${jti} was ended by ${reason}`);
    const token = doubted.get(jti);
    if (token) ledger.settle(token, reason !== null);
  }
};
