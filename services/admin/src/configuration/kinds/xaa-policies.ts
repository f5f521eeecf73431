import { type CreateXaaPolicy, entities, UpdateXaaPolicy, XaaPolicyDeclaration } from '@authserver/admin-api';
import type { Repositories } from '@authserver/store';
import type { z } from 'zod';
import type { Handlers } from '../../handlers/handler.ts';
import { type Found, type Kind, pick } from '../kind.ts';
import { everyIdp, idpByIssuer } from './idps.ts';

const query = { dry_run: false };
type Wanted = z.output<typeof XaaPolicyDeclaration>;

export const xaaPolicyKind = ({ handlers: { xaaPolicy } }: { handlers: Pick<Handlers, 'xaaPolicy'> }): Kind => {
  const { create, update, delete: remove } = entities.xaaPolicy.operations;
  return {
    name: 'xaa_policy',
    list: 'xaa_policies',
    schema: XaaPolicyDeclaration,
    keyOf: ({ idp, name }) => keyOf(idp, name),
    references: ({ idp, client_ids }) => [
      { member: 'idp', kind: 'idp', key: String(idp) },
      ...((client_ids ?? []) as string[]).map((key) => ({ member: 'client_ids', kind: 'client' as const, key })),
    ],
    optional: [],
    changeable: Object.keys(UpdateXaaPolicy.shape),
    operations: { create, change: update, delete: remove },
    deletedFirst: true,

    async find(store, { keys, identities }) {
      const all = await everyPolicy(store);
      return all.filter(({ key, identity }) => keys.includes(key) || identities.includes(identity));
    },

    async *pages(store) {
      yield await everyPolicy(store);
    },

    async create(call, wanted) {
      const { idp, ...rest } = wanted as Wanted;
      const body: z.output<typeof CreateXaaPolicy> = { idp_id: await idpByIssuer(call.store, idp), ...rest };
      const { id } = await xaaPolicy.create({ ...call, params: {}, query, body });
      return { identity: id };
    },

    async change(call, { params: { id = '' } }, wanted, members) {
      await xaaPolicy.update({ ...call, params: { id }, query, body: pick(wanted, members) });
    },

    async delete(call, { params: { id = '' } }) {
      await xaaPolicy.delete({ ...call, params: { id }, query, body: undefined });
    },
  };
};

/** An issuer has no fragment, so the first `#` is where it ends. */
const keyOf = (issuer: unknown, name: unknown): string => `${issuer}#${name}`;

const everyPolicy = async (store: Repositories): Promise<Found[]> => {
  const all: Found[] = [];
  for (const { id: idpId, issuer } of await everyIdp(store))
    for (const { id, idpId: _, ...policy } of await store.xaaPolicies.allOf(idpId))
      all.push({
        key: keyOf(issuer, policy.name),
        identity: id,
        params: { id },
        declaration: {
          idp: issuer,
          name: policy.name,
          priority: policy.priority,
          client_ids: policy.clientIds ?? null,
          scopes: policy.scopes ?? null,
          resources: policy.resources ?? null,
          enabled: policy.enabled,
        },
      });
  const uses = new Map<string, number>();
  for (const { key } of all) uses.set(key, (uses.get(key) ?? 0) + 1);
  return all.map((found) =>
    (uses.get(found.key) ?? 0) > 1
      ? { ...found, refusal: 'shares its name with another policy of the identity provider; rename one of them first' }
      : found,
  );
};
