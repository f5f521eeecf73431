import { entities, IdpDeclaration, UpdateIdp } from '@authserver/admin-api';
import type { Repositories, TrustedIdp } from '@authserver/store';
import type { z } from 'zod';
import type { Handlers } from '../../handlers/handler.ts';
import { type Found, type Kind, pick } from '../kind.ts';

const query = { dry_run: false };

export const idpKind = ({ handlers: { idp } }: { handlers: Pick<Handlers, 'idp'> }): Kind => {
  const { create, update, delete: remove } = entities.idp.operations;
  return {
    name: 'idp',
    list: 'idps',
    schema: IdpDeclaration,
    normal: (declaration) => ({ ...declaration, name: declaration.name ?? nameOf(String(declaration.issuer)) }),
    keyOf: ({ issuer }) => String(issuer),
    references: () => [],
    optional: [],
    changeable: Object.keys(UpdateIdp.shape),
    operations: { create, change: update, delete: remove },
    deletedFirst: false,

    async find(store, { keys, identities }) {
      const all = await everyIdp(store);
      return all.filter(({ id, issuer }) => keys.includes(issuer) || identities.includes(id)).map(toFound);
    },

    async *pages(store) {
      yield (await everyIdp(store)).map(toFound);
    },

    async create(call, wanted) {
      const body = wanted as z.output<typeof IdpDeclaration>;
      // Whoever may only look must not make this server ask somebody: a rehearsal looks for no keys.
      const jwks_uri = call.dryRun ? (body.jwks_uri ?? body.issuer) : body.jwks_uri;
      const { id } = await idp.create({ ...call, params: {}, query, body: { ...body, jwks_uri } });
      return { identity: id };
    },

    async change(call, { params: { id = '' } }, wanted, members) {
      await idp.update({ ...call, params: { id }, query, body: pick(wanted, members) });
    },

    async delete(call, { params: { id = '' } }) {
      await idp.delete({ ...call, params: { id }, query: { ...query, cascade: false }, body: undefined });
    },
  };
};

/** What it is called when nobody says. */
const nameOf = (issuer: string): string => issuer.slice(0, 255);

export const everyIdp = async ({ trustedIdps }: Pick<Repositories, 'trustedIdps'>): Promise<TrustedIdp[]> => {
  const all: TrustedIdp[] = [];
  for (let after: string | undefined; ; ) {
    const { rows, next } = await trustedIdps.list({ limit: 500, offset: 0, after });
    all.push(...rows);
    if (next === undefined) return all;
    after = next;
  }
};

/** The identity provider with this issuer, which whoever refers to it was told exists. */
export const idpByIssuer = async (store: Pick<Repositories, 'trustedIdps'>, issuer: unknown): Promise<string> =>
  (await everyIdp(store)).find((idp) => idp.issuer === issuer)?.id ?? '';

const toFound = (idp: TrustedIdp): Found => ({
  key: idp.issuer,
  identity: idp.id,
  params: { id: idp.id },
  declaration: {
    issuer: idp.issuer,
    name: idp.name,
    jwks_uri: idp.jwksUri ?? null,
    audience: idp.audience ?? null,
    enabled: idp.enabled,
  },
});
