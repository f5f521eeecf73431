import type { Config } from '@authserver/config';
import { type DenialReason, invalidClient, invalidGrant, invalidScope, OAuthError, readIdJag } from '@authserver/oauth';
import type { Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import { z } from 'zod';
import type { AuditRepeats } from '../audit/repeats.ts';
import type { DocumentRows } from '../clients/document-rows.ts';
import { requireKey } from '../dpop/binding.ts';
import type { Lookups } from '../lookups.ts';
import { defaultScopes } from '../scopes.ts';
import { Outdated } from '../tokens/authorization.ts';
import type { OpenAssertion, SignedAssertion } from '../xaa/assertions.ts';
import { grantedScopes, resourcesFor, wantedScopes } from '../xaa/bounds.ts';
import { scopesByPolicy } from '../xaa/policy.ts';
import { localSubject } from '../xaa/subject.ts';
import { defineGrant, type GrantContext } from './grant.ts';

export type JwtBearerDeps = {
  store: Pick<Store, 'assertions' | 'subjectMappings'>;
  lookups: Lookups;
  openAssertion: OpenAssertion;
  keepClient: DocumentRows['keep'];
  repeats: AuditRepeats;
  metrics: Metrics;
  config: Pick<Config, 'oauth' | 'server' | 'xaa'>;
};

const type = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const JwtBearerParams = z.object({
  assertion: z.string({ error: 'assertion is missing' }),
  scope: z.string().optional(),
  resources: z.array(z.string()),
});
type JwtBearerParams = z.output<typeof JwtBearerParams>;

/**
 * JWT bearer grant (RFC 7523 §2.1) for assertions that an identity provider made about one of its people for this client
 * (ID-JAG, and the MCP profile for enterprise-managed authorization): a token for that person, without a browser and without
 * a refresh token; with the next assertion the identity provider decides anew.
 *
 * Everything is checked before the assertion is spent. The statement that spends it looks once more at what operators may
 * have changed meanwhile, and writes the token; so a refusal by us leaves the assertion as it was.
 */
export const jwtBearer = ({ store, lookups, openAssertion, keepClient, repeats, metrics, config }: JwtBearerDeps) => {
  const judge = async (
    { idp, payload }: SignedAssertion,
    params: JwtBearerParams,
    { client, proof, now }: GrantContext,
  ) => {
    const idJag = readIdJag(payload, {
      issuer: idp.issuer,
      audience: idp.audience ?? config.server.issuer,
      clientId: client.clientId,
      maxAgeSeconds: config.xaa.max_assertion_age,
      now,
    });
    if ('problem' in idJag)
      throw new OAuthError(
        'invalid_grant',
        idJag.problem,
        idJag.otherClient ? 'assertion_other_client' : 'assertion_invalid',
      );
    requireKey(idJag.jkt, proof);
    if (client.ceiling.length === 0)
      throw invalidScope('The client has no scope registered, so there is nothing to grant.', 'scope_empty');

    const catalog = await lookups.resources();
    const resources = resourcesFor(params.resources, idJag, catalog, config);
    const wanted = wantedScopes(params.scope, idJag, catalog, resources);
    const scopes = grantedScopes(catalog, resources, client, (resource) =>
      scopesByPolicy(idp.policies, {
        clientId: client.clientId,
        resource: resource?.uri,
        wanted,
        otherwise: resource ? defaultScopes(catalog, [resource]) : client.ceiling,
      }),
    );
    metrics.xaaPolicyEvaluations.inc({ outcome: 'allow' });

    const mapping = await store.subjectMappings.resolve(idp.id, idJag.subject);
    const who = localSubject(idp.issuer, idJag.subject, mapping, config.xaa.subject_mode);
    // `sub` equal to `client_id` is the mark of a machine; a person can only look like one on purpose.
    if (who.subject === client.clientId) throw invalidGrant('assertion_invalid');
    metrics.xaaSubjectResolutions.inc({ outcome: mapping.userId === undefined ? 'auto_map' : 'mapped' });
    return { idJag, mapping, resources, scopes, ...who };
  };

  /** A refusal of what was really signed is worth a trace: somebody was vouched for and got nothing. */
  const judgeAloud = async (signed: SignedAssertion, params: JwtBearerParams, context: GrantContext) => {
    try {
      return await judge(signed, params, context);
    } catch (error) {
      if (error instanceof OAuthError && error.reason) await noteDenial(error.reason, signed, context);
      throw error;
    }
  };

  const noteDenial = async (
    reason: DenialReason,
    { idp }: SignedAssertion,
    { client, now }: GrantContext,
  ): Promise<void> => {
    if (reason === 'policy_denied') metrics.xaaPolicyEvaluations.inc({ outcome: 'deny' });
    if (reason === 'subject_unmapped' || reason === 'user_not_active')
      metrics.xaaSubjectResolutions.inc({ outcome: 'denied' });
    await repeats.record(
      { action: 'jwt_bearer.denied', at: now, clientId: client.clientId, details: { reason, idp: idp.id } },
      { group: client.clientId, member: `${idp.id} ${reason}` },
    );
  };

  return defineGrant({
    type,
    params: JwtBearerParams,

    async authorize(params, context) {
      const { client, now } = context;
      if (client.tokenEndpointAuthMethod === 'none')
        throw new OAuthError('unauthorized_client', 'A public client cannot use assertions.', 'client_method_mismatch');
      const signed = await openAssertion(params.assertion);
      const { idp } = signed;
      const { idJag, mapping, resources, scopes, subject, userId } = await judgeAloud(signed, params, context);

      const [first, ...further] = resources;
      return {
        grantType: type,
        client,
        subject,
        subjectUserId: userId,
        scopes,
        resource: { id: first?.id, audience: first?.uri ?? config.server.issuer },
        furtherTargets: further.map(({ id, uri = '' }) => ({
          resourceId: id,
          resource: uri,
          consentGrantId: undefined,
        })),
        act: { sub: idp.issuer },
        idpId: idp.id,
        authTime: undefined,
        familyId: undefined,
        consentGrantId: undefined,
        ttlSeconds: config.xaa.token_expiry,
        refreshToken: undefined,
        async commit(issuance) {
          // One that is known by its document alone has no row yet. It is vouched for by now, so it may have one.
          if (client.version === 0) await keepClient(client, now, {});
          const outcome = await store.assertions.redeem({
            issuer: idp.issuer,
            jti: idJag.jti,
            usableUntil: idJag.usableUntil,
            idpId: idp.id,
            rules: idp.rules,
            idpSubject: idJag.subject,
            mappedTo: mapping.mappedTo,
            issuance,
          });
          if (outcome === 'done') return;
          if (outcome === 'client_not_active') throw invalidClient('client_not_active');
          if (outcome === 'replayed') {
            await noteDenial('assertion_replayed', signed, context);
            throw invalidGrant('assertion_replayed');
          }
          await lookups.newerTrust(); // nothing was spent; what is known here may be late, and is judged by next
          throw new Outdated();
        },
      };
    },
  });
};
