import { CreateProvider, CreateResource } from '@authserver/admin-api';
import type { Config, SeedBrokerProvider, SeedResource } from '@authserver/config';
import type { DataCipher } from '@authserver/encryption';
import { DuplicateRow, type Repositories, type Store } from '@authserver/store';
import type { z } from 'zod';
import type { Change } from './handlers/handler.ts';
import { creationOf, insertProvider } from './handlers/providers.ts';
import { recordChanges } from './handlers/record-changes.ts';
import { insertResource, listedClients, requireKnownClients, toView } from './handlers/resources.ts';

/**
 * Creates the providers and then the resources of the configuration whose slug does not exist yet, all or none; never an
 * update. Returns the slugs it created.
 *
 * @throws {Error} naming what cannot be created, and why
 */
export const seedConfiguration = async (
  store: Store,
  config: Pick<Config, 'resources' | 'broker_providers'>,
  { clock, cipher }: { clock: { now(): Date }; cipher: DataCipher | undefined },
): Promise<{ providers: string[]; resources: string[] }> => {
  const seed = () =>
    store.transaction(async (tx) => {
      const created: Awaited<ReturnType<typeof seedConfiguration>> = { providers: [], resources: [] };
      for (const provider of config.broker_providers) {
        if (await tx.brokerProviders.findBySlug(provider.slug)) continue;
        await create(tx, `provider ${provider.slug}`, clock.now(), async () =>
          creationOf(await insertProvider({ cipher, store: tx, now: clock.now() }, held(CreateProvider, provider))),
        );
        created.providers.push(provider.slug);
      }
      for (const resource of config.resources) {
        if (await tx.resources.findBySlug(resource.slug)) continue;
        await create(tx, `resource ${resource.slug}`, clock.now(), () => createResource(tx, resource, clock.now()));
        created.resources.push(resource.slug);
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

const create = async (tx: Repositories, what: string, now: Date, work: () => Promise<Change>): Promise<void> => {
  try {
    const caller = { actorId: 'config', ip: undefined, userAgent: undefined, requestId: undefined };
    await recordChanges(tx, { caller, now }, [await work()]);
  } catch (cause) {
    throw new Error(`${what} of the configuration: ${(cause as Error).message}`, { cause });
  }
};

const createResource = async (tx: Repositories, resource: SeedResource, now: Date): Promise<Change> => {
  const body = held(CreateResource, resource);
  await requireKnownClients(tx, listedClients(body.policy));
  const created = await insertResource(tx, body, now);
  return {
    action: 'resource.created',
    feed: { kind: 'resource', key: created.id },
    details: { id: created.id, slug: created.slug, after: toView(created) },
  };
};

/** The configuration is held to what the admin API demands. */
const held = <S extends z.ZodType>(schema: S, entry: SeedResource | SeedBrokerProvider): z.output<S> => {
  const parsed = schema.safeParse(withoutUndefined(entry));
  if (parsed.success) return parsed.data;
  throw new Error(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
};

const withoutUndefined = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
