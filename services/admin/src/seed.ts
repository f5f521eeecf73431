import { CreateResource } from '@authserver/admin-api';
import type { Config, SeedResource } from '@authserver/config';
import { DuplicateRow, type Repositories, type Store } from '@authserver/store';
import { recordChanges } from './handlers/record-changes.ts';
import { listedClients, requireKnownClients, toNewResource, toView } from './handlers/resources.ts';

/**
 * Creates the resources of the configuration whose slug does not exist yet, all or none; never an update. Returns the
 * slugs it created.
 *
 * @throws {Error} naming the resource that cannot be created, and why
 */
export const seedResources = async (
  store: Store,
  config: Pick<Config, 'resources'>,
  clock: { now(): Date },
): Promise<string[]> => {
  const seed = () =>
    store.transaction(async (tx) => {
      const created: string[] = [];
      for (const resource of config.resources) {
        if (await tx.resources.findBySlug(resource.slug)) continue;
        await create(tx, resource, clock.now());
        created.push(resource.slug);
      }
      return created;
    });
  try {
    return await seed();
  } catch (error) {
    // Another process that starts at this moment made one of them first; the second look finds it.
    if ((error as Error).cause instanceof DuplicateRow) return seed();
    throw error;
  }
};

const create = async (tx: Repositories, resource: SeedResource, now: Date): Promise<void> => {
  try {
    const body = toBody(resource);
    await requireKnownClients(tx, listedClients(body.policy));
    const created = await tx.resources.insert(toNewResource(body, now));
    const caller = { actorId: 'config', ip: undefined, userAgent: undefined, requestId: undefined };
    const details = { id: created.id, slug: created.slug, after: toView(created) };
    const feed = { kind: 'resource', key: created.id } as const;
    await recordChanges(tx, { caller, now }, [{ action: 'resource.created', feed, details }]);
  } catch (cause) {
    throw new Error(`resource ${resource.slug} of the configuration: ${(cause as Error).message}`, { cause });
  }
};

/** The configuration is held to what the admin API demands. */
const toBody = ({ slug, uri, backend_kind, display_name, scopes, policy }: SeedResource) => {
  const parsed = CreateResource.safeParse(withoutUndefined({ slug, uri, backend_kind, display_name, scopes, policy }));
  if (parsed.success) return parsed.data;
  throw new Error(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
};

const withoutUndefined = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
