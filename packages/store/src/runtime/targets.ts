import type { Queryable, Row } from '../db.ts';

/** One resource of a grant, and the consent that covers it. */
export type GrantedTarget = {
  /** `undefined`: the authorization server itself, when no resource was named. */
  resourceId: string | undefined;
  /** As registered. */
  resource: string | undefined;
  consentGrantId: string;
  consentEpoch: number;
  scopes: readonly string[];
  /** What was granted here and the user has taken back since; absent when that is nothing. */
  withdrawn?: readonly string[];
};

/** A further resource of a token: one that stands after the first in `aud`. */
export type FurtherTarget = { resourceId: string; resource: string; consentGrantId: string | undefined };

/** `null` for one target: then the columns of the row say it all, and nobody reads JSON. */
export const targetsColumn = (targets: readonly GrantedTarget[] | undefined): string | null =>
  targets === undefined || targets.length < 2
    ? null
    : JSON.stringify(
        targets.map((target) => ({
          resource_id: target.resourceId,
          resource: target.resource,
          consent_grant_id: target.consentGrantId,
          consent_epoch: target.consentEpoch,
          scopes: target.scopes,
        })),
      );

/**
 * The targets of a code or a family, with the scopes of each cut to what its user still allows there, and whether all the
 * consents stand. `row.consented` is what the first consent holds; several consents cost another read, which a single one
 * does not. Nothing rests on this being one moment: what commits locks the consents and looks again.
 */
export const readTargets = async (db: Queryable, row: Row): Promise<{ targets: GrantedTarget[]; stand: boolean }> => {
  if (row.targets === null) {
    const target = {
      resourceId: (row.resource_id as string | null) ?? undefined,
      resource: (row.resource as string | null) ?? undefined,
      consentGrantId: row.consent_grant_id as string,
      consentEpoch: row.consent_epoch as number,
      ...cut(row.scopes as string[], row.consented as string[]),
    };
    return { targets: [target], stand: true };
  }
  const stored = row.targets as StoredTarget[];
  const { rows } = await db.query<{ id: string; epoch: number; scopes: string[] }>(
    'consents_of_targets',
    'select id, epoch, scopes from consent_grants where id = any($1::uuid[]) and revoked_at is null',
    [stored.map((target) => target.consent_grant_id)],
  );
  const consents = new Map(rows.map((consent) => [consent.id, consent]));
  return {
    targets: stored.map((target) => ({
      resourceId: target.resource_id,
      resource: target.resource,
      consentGrantId: target.consent_grant_id,
      consentEpoch: target.consent_epoch,
      ...cut(target.scopes, consents.get(target.consent_grant_id)?.scopes ?? []),
    })),
    stand: stored.every((target) => consents.get(target.consent_grant_id)?.epoch === target.consent_epoch),
  };
};

export const scopesOf = (targets: readonly GrantedTarget[]): readonly string[] =>
  targets.length === 1 && targets[0] ? targets[0].scopes : [...new Set(targets.flatMap(({ scopes }) => scopes))];

export const furtherTargetsColumn = (further: readonly FurtherTarget[] | undefined): string | null =>
  further === undefined || further.length === 0
    ? null
    : JSON.stringify(
        further.map((target) => ({
          resource_id: target.resourceId,
          resource: target.resource,
          consent_grant_id: target.consentGrantId,
        })),
      );

export const toFurtherTargets = (column: unknown): FurtherTarget[] =>
  ((column ?? []) as StoredTarget[]).map((target) => ({
    resourceId: target.resource_id,
    resource: target.resource,
    consentGrantId: target.consent_grant_id,
  }));

/** The members as they are in the database; what looks into them in SQL is in the migration that made the column. */
type StoredTarget = {
  resource_id: string;
  resource: string;
  consent_grant_id: string;
  consent_epoch: number;
  scopes: string[];
};

const cut = (granted: readonly string[], consented: readonly string[]): Pick<GrantedTarget, 'scopes' | 'withdrawn'> => {
  const scopes = granted.filter((scope) => consented.includes(scope));
  if (scopes.length === granted.length) return { scopes };
  return { scopes, withdrawn: granted.filter((scope) => !consented.includes(scope)) };
};

/**
 * That consent `g` still covers what a token takes of target `t`. `scopes`, `consent` and `further` are the parameters
 * with the token's scopes, first consent and further targets; what the token does not name need not cover it.
 */
export const stillCovered = (scopes: string, consent: string, further: string): string => `(
         not (g.id = ${consent}::uuid or coalesce(
           ${further}::jsonb @> jsonb_build_array(jsonb_build_object('consent_grant_id', g.id)), false))
         or not exists (select 1 from unnest(${scopes}::text[]) as s where s = any(t.scopes) and s <> all(g.scopes)))`;
