import type { Repositories, Resource, ResourcePolicy } from '@authserver/store';
import { conflict, invalid } from './refusals.ts';

type Backend = Pick<Resource, 'backendKind' | 'brokerProviderId'>;
type Wanted = { kind: Resource['backendKind']; providerId?: string | undefined; providerSlug?: string | undefined };

/**
 * The provider behind a resource: one that exists for broker, none for mint. An empty id or slug names none.
 *
 * @throws {Problem} `invalid_request`
 */
export const backendOf = async (
  { brokerProviders }: Pick<Repositories, 'brokerProviders'>,
  { kind, providerId, providerSlug }: Wanted,
): Promise<Backend> => {
  if (kind === 'mint') {
    if (providerId) throw invalid(['broker_provider_id: must be empty for a mint resource']);
    if (providerSlug) throw invalid(['broker_provider_slug: must be empty for a mint resource']);
    return { backendKind: kind, brokerProviderId: undefined };
  }
  if (!providerId && !providerSlug)
    throw invalid(['broker_provider_id: a broker resource needs one, or broker_provider_slug']);
  const byId = providerId ? await brokerProviders.find(providerId) : undefined;
  const bySlug = providerSlug ? await brokerProviders.findBySlug(providerSlug) : undefined;
  const problems = [
    ...(providerId && !byId ? [`broker_provider_id: there is no provider ${providerId}`] : []),
    ...(providerSlug && !bySlug ? [`broker_provider_slug: there is no provider ${providerSlug}`] : []),
    ...(byId && bySlug && byId.id !== bySlug.id
      ? ['broker_provider_slug: names another provider than broker_provider_id']
      : []),
  ];
  if (problems.length > 0) throw invalid(problems);
  return { backendKind: kind, brokerProviderId: (byId ?? bySlug)?.id };
};

/** Nobody connects anything for a mint resource. */
export const policyFor = (kind: Resource['backendKind'], policy: ResourcePolicy): ResourcePolicy =>
  kind === 'broker' ? policy : { ...policy, connect: { allowed_return_urls: [] } };

/** What was issued and allowed for one kind would be something else for the other. */
export const requireNoHistory = async (
  { consentGrants, issuances }: Pick<Repositories, 'consentGrants' | 'issuances'>,
  { id }: Resource,
): Promise<void> => {
  if ((await consentGrants.existAt(id)) || (await issuances.countOfResource(id, 1)) > 0)
    throw conflict(
      'Tokens or consents of its present kind exist, so the kind cannot change. Delete the resource, which keeps its history, and create it anew.',
    );
};
