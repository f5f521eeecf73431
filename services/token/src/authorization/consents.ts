import { offlineAccess, redirectKind } from '@authserver/oauth';
import {
  type AuditEvent,
  type Client,
  type ConsentGrant,
  type GrantedTarget,
  type Repositories,
  type Resource,
  uuidv7,
} from '@authserver/store';
import type { AuthorizationRequest } from './request.ts';

/** Where a request wants something: at one of its resources, or at the authorization server itself when it names none. */
export type Place = { resource: Resource | undefined; scopes: readonly string[] };

/** What of a request a consent is about. A device has no address that an answer is sent to. */
export type ConsentRequest = Pick<AuthorizationRequest, 'client' | 'resources' | 'scopes' | 'offlineAccess'> & {
  redirectUri: string | undefined;
};

/** What a code is for: at least one place. */
export type Targets = readonly [GrantedTarget, ...GrantedTarget[]];

/** A scope that several of the resources offer is wanted, and allowed, at all of them: a token cannot tell them apart. */
export const placesOf = ({ resources, scopes }: Pick<AuthorizationRequest, 'resources' | 'scopes'>): Place[] =>
  resources.length === 0
    ? [{ resource: undefined, scopes }]
    : resources.map((resource) => ({
        resource,
        scopes: scopes.filter((scope) => resource.scopes.some(({ name }) => name === scope)),
      }));

/** What to look up of what the person has allowed the client before: wherever the request wants something. */
export const consentQuestion = (asked: Pick<ConsentRequest, 'client' | 'resources' | 'scopes'>) => ({
  clientId: asked.client.clientId,
  resourceIds: resourceIdsOf(placesOf(asked)),
});

/**
 * The targets of a code that may be issued without asking again, when what the user allowed before covers everything.
 *
 * Not when the client wants the user asked, nor when anybody on the device could pose as the client: a public client at a
 * loopback or private-use address proves nothing about itself (OAuth 2.1 §7.3.1). And not when the answer goes to a host
 * the user has not seen on the consent page: one address of a client may fall into other hands than the rest. Nor when
 * the client has since become another: its name, addresses or keys are what the user agreed to. Nor when what may be done by
 * token exchange in one consent is used up: only the person can say that it goes on.
 */
export const rememberedTargets = (
  authorization: AuthorizationRequest,
  held: readonly ConsentGrant[],
): Targets | undefined => {
  const { client, redirectUri, prompts } = authorization;
  const assured = client.tokenEndpointAuthMethod !== 'none' || redirectKind(redirectUri) === 'https';
  if (prompts.includes('consent') || !assured) return undefined;
  const targets: GrantedTarget[] = [];
  for (const place of placesOf(authorization)) {
    const consent = held.find(({ resourceId }) => resourceId === place.resource?.id);
    const covers =
      consent?.redirectHosts.includes(redirectHost(redirectUri)) &&
      !consent.asksAgain &&
      isToSameClient(consent, client) &&
      consentScopes(authorization, place.scopes).every((scope) => consent.scopes.includes(scope));
    if (!consent || !covers) return undefined;
    targets.push(toTarget(place, place.scopes, consent));
  }
  return atLeastOne(targets);
};

/** Whether the client is still the one that the person allowed: under that name, with those addresses and keys. */
export const isToSameClient = (consent: ConsentGrant, client: Client): boolean =>
  client.identityChangedAt === undefined || consent.updatedAt >= client.identityChangedAt;

/**
 * Stores what the user decided: at each place, of the scopes asked for, exactly those that are `allowed` are held from now
 * on; what was held before and not asked about stays, if the client is still the same. A place where nothing was allowed is no target of the code.
 * `allowed` is not empty.
 */
export const storeConsent = async (
  tx: Pick<Repositories, 'consentGrants' | 'users'>,
  authorization: ConsentRequest,
  userId: string,
  allowed: readonly string[],
  now: Date,
): Promise<Targets> => {
  const { clientId, identityChangedAt: identitySince } = authorization.client;
  const places = placesOf(authorization);
  // One answer of a person at a time: another could bring consents that were not there when these were locked, and whoever
  // holds several must hold them in the order of their ids.
  await tx.users.lock(userId);
  if (places.length > 1) await tx.consentGrants.lockHeld(userId, clientId, resourceIdsOf(places));
  const targets = new Map<Place, GrantedTarget>();
  for (const place of places.toSorted(byResource)) {
    const scopes = place.scopes.filter((scope) => allowed.includes(scope));
    const decision = {
      userId,
      clientId,
      resourceId: place.resource?.id,
      asked: consentScopes(authorization, place.scopes),
      identitySince,
    };
    if (scopes.length === 0) await tx.consentGrants.narrow({ ...decision, now });
    else {
      const consent = await tx.consentGrants.allow({
        ...decision,
        id: uuidv7(now),
        allowed: consentScopes(authorization, scopes),
        redirectHost: authorization.redirectUri === undefined ? undefined : redirectHost(authorization.redirectUri),
        now,
      });
      targets.set(place, toTarget(place, scopes, consent));
    }
  }
  const chosen = atLeastOne(places.flatMap((place) => targets.get(place) ?? []));
  if (!chosen) throw new Error('nothing was allowed, so there is no consent to store');
  return chosen;
};

/** What the trail says of a consent: an event for each place where something was allowed. */
export const recordConsent = async (
  tx: Pick<Repositories, 'auditEvents'>,
  targets: Targets,
  event: Omit<AuditEvent, 'action'>,
): Promise<void> => {
  await tx.auditEvents.insertMany(
    targets.map(({ resource, scopes }) => ({
      ...event,
      action: 'consent.granted',
      details: { resource: resource ?? '', scopes, ...event.details },
    })),
  );
};

const resourceIdsOf = (places: readonly Place[]): (string | undefined)[] => places.map(({ resource }) => resource?.id);

/**
 * What a consent has to cover. Where `offline_access` makes a difference for the client, it is part of it, so that a
 * person who allowed the scopes alone is asked before the client may stay connected.
 */
const consentScopes = (
  { client, offlineAccess: offline }: Pick<ConsentRequest, 'client' | 'offlineAccess'>,
  scopes: readonly string[],
): readonly string[] =>
  offline && client.refreshTokenPolicy === 'offline_access' ? [...scopes, offlineAccess] : scopes;

/** Host and port, or the scheme; of loopback addresses the host alone, because their port is another every time. */
export const redirectHost = (redirectUri: string): string => {
  const { host, hostname, protocol } = new URL(redirectUri);
  const kind = redirectKind(redirectUri);
  return kind === 'private-use' ? protocol : kind === 'loopback' ? hostname : host;
};

const toTarget = (
  { resource }: Place,
  scopes: readonly string[],
  consent: Pick<ConsentGrant, 'id' | 'epoch'>,
): GrantedTarget => ({
  resourceId: resource?.id,
  resource: resource?.uri,
  consentGrantId: consent.id,
  consentEpoch: consent.epoch,
  scopes,
});

const byResource = (left: Place, right: Place): number =>
  (left.resource?.id ?? '') < (right.resource?.id ?? '') ? -1 : 1;

const atLeastOne = ([first, ...rest]: GrantedTarget[]): Targets | undefined => (first ? [first, ...rest] : undefined);
