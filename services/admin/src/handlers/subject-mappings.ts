import type { SubjectMappingView } from '@authserver/admin-api';
import { type Repositories, type SubjectMapping, uuidv7 } from '@authserver/store';
import type { z } from 'zod';
import type { HandlersOf } from './handler.ts';
import { ChangedMeanwhile, notFound, orConflict } from './refusals.ts';
import { requireIdp } from './trusted-idp.ts';
import { requireUser } from './users.ts';

export const subjectMappingHandlers = (): HandlersOf<'subjectMapping'> => ({
  async list({ query, store, page }) {
    const { idp_id: idpId, local_user_id: localUserId, limit, offset, cursor } = query;
    const found = await store.subjectMappings.list({ idpId, localUserId }, { limit, offset, after: cursor });
    page(found);
    return found.rows.map(toMappingView);
  },

  async get({ params, store, etag }) {
    const mapping = await requireMapping(store, params.id);
    etag(mapping.version);
    return toMappingView(mapping);
  },

  async create({ body, store, record, etag, now }) {
    const idp = await requireIdp(store, body.idp_id);
    const inserting = store.subjectMappings.insert({
      id: uuidv7(now),
      idpId: idp.id,
      idpSubject: body.idp_subject ?? body.federated_subject ?? '',
      localUserId: await accountOf(store, body),
    });
    const created = await orConflict(inserting, () => 'This subject of the identity provider is mapped already.');
    record({
      action: 'subject_mapping.created',
      feed: { kind: 'subject_mapping', key: created.id },
      details: { mapping: created.id, idp: idp.id, after: toMappingView(created) },
    });
    etag(created.version);
    return toMappingView(created);
  },

  async update({ params, body, store, record, match, etag }) {
    const before = await requireMapping(store, params.id);
    match(before.version);
    etag(before.version);
    if (body.local_user_id === undefined && body.local_subject === undefined) return toMappingView(before);
    const localUserId = await accountOf(store, body);
    if (localUserId === before.localUserId) return toMappingView(before);
    const after = await store.subjectMappings.update({ ...before, localUserId });
    if (!after) throw new ChangedMeanwhile('subject mapping');
    record({
      action: 'subject_mapping.updated',
      feed: { kind: 'subject_mapping', key: after.id },
      details: { mapping: after.id, idp: after.idpId, before: toMappingView(before), after: toMappingView(after) },
    });
    etag(after.version);
    return toMappingView(after);
  },

  async delete({ params, store, record, match }) {
    const before = await requireMapping(store, params.id);
    match(before.version);
    if (!(await store.subjectMappings.delete(before.id))) throw notFound('subject mapping');
    record({
      action: 'subject_mapping.deleted',
      feed: { kind: 'subject_mapping', key: before.id },
      details: { mapping: before.id, idp: before.idpId, before: toMappingView(before) },
    });
  },
});

const requireMapping = async ({ subjectMappings }: Repositories, id: string): Promise<SubjectMapping> => {
  const mapping = await subjectMappings.find(id);
  if (!mapping) throw notFound('subject mapping');
  return mapping;
};

type Account = { local_user_id?: string | null | undefined; local_subject?: string | null | undefined };

/** Ids win over addresses: they are ours, and an address that equals one would have to be made on purpose. */
const accountOf = async (store: Repositories, { local_user_id, local_subject }: Account) => {
  if (local_user_id) return (await requireUser(store, local_user_id)).id;
  if (!local_subject) return undefined;
  const byId = await store.users.find(local_subject);
  const [byEmail] = byId ? [] : (await store.users.list({ email: local_subject }, { limit: 1, offset: 0 })).rows;
  const user = byId ?? byEmail;
  if (!user) throw notFound('user');
  return user.id;
};

export const toMappingView = (mapping: SubjectMapping): z.output<typeof SubjectMappingView> => ({
  id: mapping.id,
  idp_id: mapping.idpId,
  idp_subject: mapping.idpSubject,
  ...(mapping.localUserId === undefined ? {} : { local_user_id: mapping.localUserId }),
  created_at: mapping.createdAt.toISOString(),
  updated_at: mapping.updatedAt.toISOString(),
});
