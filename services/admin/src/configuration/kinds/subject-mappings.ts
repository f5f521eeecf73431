import { entities, SubjectMappingDeclaration } from '@authserver/admin-api';
import type { Repositories, SubjectMapping } from '@authserver/store';
import type { z } from 'zod';
import type { Handlers } from '../../handlers/handler.ts';
import { type Found, type Kind, pageSize } from '../kind.ts';
import { everyIdp, idpByIssuer } from './idps.ts';
import { emailKey } from './users.ts';

const query = { dry_run: false };
type Wanted = z.output<typeof SubjectMappingDeclaration>;

export const subjectMappingKind = (deps: { handlers: Pick<Handlers, 'subjectMapping'> }): Kind => {
  const { subjectMapping } = deps.handlers;
  const { create, update, delete: remove } = entities.subjectMapping.operations;
  return {
    name: 'subject_mapping',
    list: 'subject_mappings',
    schema: SubjectMappingDeclaration,
    normal: ({ user, ...rest }) => ({ ...rest, user: user === null ? null : emailKey(user) }),
    keyOf: ({ idp, idp_subject }) => keyOf(idp, idp_subject),
    references: ({ idp, user }) => [
      { member: 'idp', kind: 'idp', key: String(idp) },
      ...(user ? [{ member: 'user', kind: 'user' as const, key: emailKey(user) }] : []),
    ],
    optional: [],
    changeable: ['user'],
    operations: { create, change: update, delete: remove },
    deletedFirst: true,

    async find(store, { keys, identities }) {
      const found: Found[] = [];
      for await (const page of everyMapping(store))
        found.push(...page.filter(({ key, identity }) => keys.includes(key) || identities.includes(identity)));
      return found;
    },

    pages: everyMapping,

    async create(call, wanted) {
      const { idp, idp_subject, user } = wanted as Wanted;
      const body = {
        idp_id: await idpByIssuer(call.store, idp),
        idp_subject,
        local_user_id: await accountOf(call.store, user),
      };
      const { id } = await subjectMapping.create({ ...call, params: {}, query, body });
      return { identity: id };
    },

    async change(call, { params: { id = '' } }, wanted) {
      const body = { local_user_id: await accountOf(call.store, (wanted as Wanted).user) };
      await subjectMapping.update({ ...call, params: { id }, query, body });
    },

    async delete(call, { params: { id = '' } }) {
      await subjectMapping.delete({ ...call, params: { id }, query, body: undefined });
    },
  };
};

/** An issuer has no fragment, so the first `#` is where it ends. */
const keyOf = (issuer: unknown, subject: unknown): string => `${issuer}#${subject}`;

const accountOf = async ({ users }: Repositories, email: string | null): Promise<string | null> =>
  email === null ? null : ((await users.findMany([email], []))[0]?.id ?? null);

async function* everyMapping(store: Repositories): AsyncGenerator<Found[]> {
  const issuers = new Map((await everyIdp(store)).map(({ id, issuer }) => [id, issuer]));
  for (let after: string | undefined; ; ) {
    const { rows, next } = await store.subjectMappings.list({}, { limit: pageSize, offset: 0, after });
    const accounts = await store.users.findMany(
      [],
      rows.flatMap(({ localUserId }) => localUserId ?? []),
    );
    const emails = new Map(accounts.map(({ id, email }) => [id, email]));
    yield rows.map((row) => toFound(row, issuers.get(row.idpId) ?? '', emails));
    if (next === undefined) return;
    after = next;
  }
}

const toFound = (
  { id, idpSubject, localUserId }: SubjectMapping,
  issuer: string,
  emails: ReadonlyMap<string, string | undefined>,
): Found => {
  const email = localUserId === undefined ? undefined : emails.get(localUserId);
  return {
    key: keyOf(issuer, idpSubject),
    identity: id,
    params: { id },
    declaration: { idp: issuer, idp_subject: idpSubject, user: email === undefined ? null : emailKey(email) },
    refusal:
      localUserId !== undefined && email === undefined
        ? 'names an account that is gone or has no e-mail address; change or delete the mapping first'
        : undefined,
  };
};
