import type { Entities, IdpView } from '@authserver/admin-api';
import { type Config, isLocalhostIssuer } from '@authserver/config';
import type { IdpKeys } from '@authserver/idp';
import { OutboundError, type OutboundPolicy, readTarget } from '@authserver/outbound';
import { type SubjectMapping, type TrustedIdp, uuidv7, type XaaPolicy } from '@authserver/store';
import type { Logger, Metrics } from '@authserver/telemetry';
import type { z } from 'zod';
import type { Handler, HandlersOf } from './handler.ts';
import { printable, searchKeys, whyNoKeys } from './idp-search.ts';
import { ChangedMeanwhile, conflict, invalid, notFound, orConflict } from './refusals.ts';
import { toMappingView } from './subject-mappings.ts';
import { requireIdp } from './trusted-idp.ts';
import { toPolicyView } from './xaa-policies.ts';

type IdpDeps = { config: Config; idpKeys: IdpKeys; outboundPolicy: OutboundPolicy; metrics: Metrics; logger: Logger };

/** Shown of what stands in the way of a deletion; the numbers are in the detail. */
const maxDependents = 100;

export const idpHandlers = (deps: IdpDeps): HandlersOf<'idp'> => {
  const { config, idpKeys, outboundPolicy, metrics, logger } = deps;
  const toView = (idp: TrustedIdp): z.output<typeof IdpView> => ({
    id: idp.id,
    name: idp.name,
    issuer: idp.issuer,
    jwks_uri: idp.jwksUri ?? idp.discoveredJwksUri ?? '',
    jwks_uri_discovered: idp.jwksUri === undefined && idp.discoveredJwksUri !== undefined,
    audience: idp.audience ?? config.server.issuer,
    enabled: idp.enabled,
    keys_fetched_at: idp.keysFetchedAt?.toISOString(),
    created_at: idp.createdAt.toISOString(),
    updated_at: idp.updatedAt.toISOString(),
  });

  /** What the addresses alone tell. Where a name leads is looked at whenever somebody goes there. */
  const requireAddresses = (issuer: string, jwksUri: string | undefined): void => {
    const problems: string[] = [];
    const local = isLocalhostIssuer(config.server.issuer);
    if (!issuer.startsWith('https:') && !local) problems.push('issuer: must use https');
    // Its assertions would be made here, by whoever gets this server to sign something.
    if (issuer === config.server.issuer) problems.push('issuer: is this server itself');
    try {
      readTarget(jwksUri ?? issuer, outboundPolicy);
    } catch (error) {
      if (!(error instanceof OutboundError)) throw error;
      problems.push(`${jwksUri === undefined ? 'issuer' : 'jwks_uri'}: ${error.message}`);
    }
    if (problems.length > 0) throw invalid([...new Set(problems)]);
  };

  const update: Handler<Entities['idp']['operations']['update']> = async ({
    params,
    body,
    store,
    record,
    afterCommit,
    match,
    etag,
  }) => {
    const before = await requireIdp(store, params.id);
    match(before.version);
    etag(before.version);
    const wanted: TrustedIdp = {
      ...before,
      name: body.name ?? before.name,
      enabled: body.enabled ?? before.enabled,
      ...(body.jwks_uri === undefined ? {} : { jwksUri: body.jwks_uri ?? undefined }),
      ...(body.audience === undefined ? {} : { audience: body.audience ?? undefined }),
    };
    if (JSON.stringify(wanted) === JSON.stringify(before)) return toView(before);
    if (wanted.jwksUri !== before.jwksUri) {
      requireAddresses(wanted.issuer, wanted.jwksUri);
      // What was seen there says nothing about another place.
      wanted.keysFetchedAt = undefined;
      wanted.discoveredJwksUri = undefined;
    }
    const after = await store.trustedIdps.update(wanted);
    if (!after) throw new ChangedMeanwhile('identity provider');
    record({
      action: 'idp.updated',
      feed: { kind: 'idp', key: after.id },
      details: { idp: after.id, before: toView(before), after: toView(after) },
    });
    afterCommit(() => metrics.xaaIdpOperations.inc({ operation: 'update' }));
    etag(after.version);
    return toView(after);
  };

  return {
    async list({ query: { limit, offset, cursor }, store, page }) {
      const found = await store.trustedIdps.list({ limit, offset, after: cursor });
      page(found);
      return found.rows.map(toView);
    },

    async get({ params, store, etag }) {
      const idp = await requireIdp(store, params.id);
      etag(idp.version);
      return toView(idp);
    },

    /** An identity provider that does not answer at this moment is trusted all the same; its keys are found later. */
    async create({ body, store, record, afterCommit, etag, now }) {
      const { issuer, audience, enabled } = body;
      const jwksUri = body.jwks_uri ?? undefined;
      requireAddresses(issuer, jwksUri);
      const found = jwksUri === undefined ? await searchKeys(idpKeys, { issuer, jwksUri }) : {};
      const inserting = store.trustedIdps.insert({
        id: uuidv7(now),
        name: body.name ?? issuer.slice(0, 255),
        issuer,
        jwksUri,
        discoveredJwksUri: found.keys?.jwksUri,
        audience: audience ?? undefined,
        enabled,
        keysFetchedAt: found.keys && now,
      });
      const created = await orConflict(inserting, () => 'An identity provider with this issuer exists already.');
      record({
        action: 'idp.created',
        feed: { kind: 'idp', key: created.id },
        details: { idp: created.id, after: toView(created) },
      });
      afterCommit(() => metrics.xaaIdpOperations.inc({ operation: 'register' }));
      etag(created.version);
      const { trouble } = found;
      if (trouble) logger.warn({ issuer, err: trouble }, 'the keys of an identity provider were not found');
      const warning = trouble && `Its keys were not found: ${trouble.message}. It is stored; refresh its keys later.`;
      return { ...toView(created), ...(warning === undefined ? {} : { warning }) };
    },

    update,
    put: update,

    async delete({ params, query: { cascade }, store, record, afterCommit, match, dryRun }) {
      const before = await store.trustedIdps.lock(params.id);
      if (!before) throw notFound('identity provider');
      match(before.version);
      const policies = await store.xaaPolicies.allOf(before.id);
      const mappings = await store.subjectMappings.allOf(before.id);
      if (!cascade && policies.length + mappings.length > 0)
        throw conflict(
          `The identity provider has ${policies.length} policies and ${mappings.length} subject mappings; delete with cascade=true to end them too.`,
          { dependents: dependentsOf(policies, mappings) },
        );
      await store.trustedIdps.delete(before.id);
      // Whoever hears of the identity provider drops all that hangs on it, so the feed need not name the rest.
      for (const policy of policies)
        record({
          action: 'xaa_policy.deleted',
          details: { policy: policy.id, idp: before.id, reason: 'idp_cascade', before: toPolicyView(policy) },
        });
      for (const mapping of mappings)
        record({
          action: 'subject_mapping.deleted',
          details: { mapping: mapping.id, idp: before.id, reason: 'idp_cascade', before: toMappingView(mapping) },
        });
      record({
        action: 'idp.deleted',
        feed: { kind: 'idp', key: before.id },
        details: {
          idp: before.id,
          cascaded_policies: policies.length,
          cascaded_mappings: mappings.length,
          before: toView(before),
        },
      });
      afterCommit(() => metrics.xaaIdpOperations.inc({ operation: 'delete' }));
      return dryRun ? { policies: policies.length, subject_mappings: mappings.length } : undefined;
    },

    async refreshKeys({ params, store, record, match, etag, now }) {
      const before = await requireIdp(store, params.id);
      match(before.version);
      const { keys: found, trouble } = await searchKeys(idpKeys, before);
      if (!found) throw whyNoKeys(trouble);
      const discoveredJwksUri = before.jwksUri === undefined ? found.jwksUri : undefined;
      const after = await store.trustedIdps.update({ ...before, discoveredJwksUri, keysFetchedAt: now });
      if (!after) throw new ChangedMeanwhile('identity provider');
      const kids = found.keys.flatMap(({ kid }) => (typeof kid === 'string' ? [printable(kid)] : []));
      record({
        action: 'idp.keys_refreshed',
        feed: { kind: 'idp', key: after.id },
        details: { idp: after.id, usable_keys: found.keys.length, kids, before: toView(before), after: toView(after) },
      });
      etag(after.version);
      return {
        status: 'refreshed',
        jwks_uri: found.jwksUri,
        usable_keys: found.keys.length,
        kids,
        keys_fetched_at: now.toISOString(),
      };
    },
  };
};

const dependentsOf = (policies: readonly XaaPolicy[], mappings: readonly SubjectMapping[]) =>
  [
    ...policies.map(({ id, name }) => ({ kind: 'xaa_policy', id, name })),
    ...mappings.map(({ id, idpSubject }) => ({ kind: 'subject_mapping', id, idp_subject: idpSubject })),
  ].slice(0, maxDependents);
