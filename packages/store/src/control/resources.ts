import { resourceKey } from '@authserver/oauth';
import { type Page, type Paged, type Queryable, type Row, uuidOrFirst, uuidOrLast } from '../db.ts';
import { readPage } from '../listing.ts';
import { isUuid } from '../uuid.ts';

export type ResourceScope = { name: string; description: string; upstream: string; default: boolean };
/** What one client may do at a resource by token exchange in the place of a user; without `client_id`, every other client. */
export type ExchangeBudget = {
  client_id?: string | undefined;
  /** Exchanges since the user last consented. */
  max_uses?: number | undefined;
  /** Seconds since then. */
  max_lifetime?: number | undefined;
  /** Exchanges, or actors, one after another. */
  max_depth?: number | undefined;
};
export type ResourcePolicy = {
  exchange: { allowed_client_ids: string[]; budgets?: ExchangeBudget[] | undefined };
  runtime: { client_ids: string[] };
  connect: { allowed_return_urls: string[] };
};

export type Resource = {
  id: string;
  slug: string;
  /** As registered: what a token carries in `aud`. */
  uri: string | undefined;
  backendKind: 'mint' | 'broker';
  brokerProviderId: string | undefined;
  displayName: string;
  scopes: readonly ResourceScope[];
  policy: ResourcePolicy;
  /** Tokens for this resource must be bound to a key (RFC 9728 §2). */
  dpopBoundAccessTokensRequired: boolean;
  version: number;
  createdAt: Date;
  updatedAt: Date;
  /** Since when it is over and only its history is left. */
  archivedAt: Date | undefined;
};

export type NewResource = Omit<
  Resource,
  'version' | 'createdAt' | 'updatedAt' | 'archivedAt' | 'dpopBoundAccessTokensRequired'
> &
  Partial<Pick<Resource, 'dpopBoundAccessTokensRequired'>>;

export type ResourceFilter = {
  backendKind?: 'mint' | 'broker' | undefined;
  brokerProviderId?: string | undefined;
  /** Those that are over, instead of those that are not. */
  archived?: boolean | undefined;
};

const columns = `id, coalesce(archived_slug, slug) as slug, coalesce(archived_uri, uri) as uri, backend_kind,
  broker_provider_id, display_name, scopes, policy, dpop_bound_access_tokens_required, version, created_at, updated_at,
  archived_at`;

export const resources = (db: Queryable) => ({
  /** Archived ones too. */
  async find(id: string): Promise<Resource | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('resource_find', `select ${columns} from resources where id = $1`, [id]);
    return rows.map(toResource)[0];
  },

  async findBySlug(slug: string): Promise<Resource | undefined> {
    const { rows } = await db.query(
      'resource_find_by_slug',
      `select ${columns} from resources where slug = $1 and archived_at is null`,
      [slug],
    );
    return rows.map(toResource)[0];
  },

  /**
   * Every resource that is not archived: there are as many as an organisation has MCP servers, and the data plane keeps
   * them all in memory.
   */
  async all(): Promise<Resource[]> {
    const { rows } = await db.query(
      'resource_all',
      `select ${columns} from resources where archived_at is null order by slug`,
    );
    return rows.map(toResource);
  },

  /** Those that are archived, or those that are not. */
  list: (filter: ResourceFilter, page: Page): Promise<Paged<Resource>> =>
    readPage(
      db,
      {
        operation: 'resource_list',
        table: 'resources',
        columns,
        filter: ({ require, value }) => {
          require(filter.archived ? 'archived_at is not null' : 'archived_at is null');
          if (filter.backendKind !== undefined) require(`backend_kind = ${value(filter.backendKind)}`);
          if (filter.brokerProviderId !== undefined)
            require(`broker_provider_id = ${value(uuidOrFirst(filter.brokerProviderId))}`);
        },
        order: 'id',
        behind: (position, { value }) => `id > ${value(uuidOrLast(position))}`,
        positionOf: ({ id }) => id as string,
        toItem: toResource,
      },
      page,
    ),

  /** Those in use that a provider serves, and how many there are. */
  async listOfProvider(providerId: string, limit: number): Promise<{ rows: Resource[]; total: number }> {
    const { rows } = await db.query(
      'resource_list_of_provider',
      `select ${columns}, count(*) over () as total from resources
        where broker_provider_id = $1 and archived_at is null order by slug limit $2`,
      [providerId, limit],
    );
    return { rows: rows.map(toResource), total: Number(rows[0]?.total ?? 0) };
  },

  /** @throws {DuplicateRow} when the slug or the URI is taken */
  async insert(resource: NewResource): Promise<Resource> {
    const { rows } = await db.query(
      'resource_insert',
      `insert into resources (id, slug, uri, uri_key, backend_kind, broker_provider_id, display_name, scopes, policy,
         dpop_bound_access_tokens_required)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning ${columns}`,
      [resource.id, ...values(resource)],
    );
    return toResource(rows[0] as Row);
  },

  /** `undefined` when the row is gone or its version moved on. */
  async update(resource: Resource): Promise<Resource | undefined> {
    const { rows } = await db.query(
      'resource_update',
      `update resources set slug = $2, uri = $3, uri_key = $4, backend_kind = $5, broker_provider_id = $6,
              display_name = $7, scopes = $8, policy = $9, dpop_bound_access_tokens_required = $10,
              version = version + 1, updated_at = now()
        where id = $1 and version = $11 and archived_at is null returning ${columns}`,
      [resource.id, ...values(resource), resource.version],
    );
    return rows.map(toResource)[0];
  },

  /**
   * Ends a resource and keeps its row, for the history that names it. Slug and URI are free for another one, and the
   * tokens for it are dead; consents and families are the caller's to end. `undefined` when it is gone or archived.
   */
  async archive(id: string, now: Date): Promise<Resource | undefined> {
    const { rows } = await db.query(
      'resource_archive',
      `update resources set archived_at = $2, archived_slug = slug, archived_uri = uri, slug = id::text, uri = null,
              uri_key = null, version = version + 1, updated_at = now()
        where id = $1 and archived_at is null returning ${columns}`,
      [id, now],
    );
    return rows.map(toResource)[0];
  },

  async delete(id: string): Promise<boolean> {
    const { rowCount } = await db.query('resource_delete', 'delete from resources where id = $1', [id]);
    return rowCount === 1;
  },
});

const values = (resource: NewResource): unknown[] => [
  resource.slug,
  resource.uri ?? null,
  resource.uri === undefined ? null : (resourceKey(resource.uri) ?? resource.uri),
  resource.backendKind,
  resource.brokerProviderId ?? null,
  resource.displayName,
  JSON.stringify(resource.scopes),
  JSON.stringify(resource.policy),
  resource.dpopBoundAccessTokensRequired ?? false,
];

const toResource = (row: Row): Resource => ({
  id: row.id as string,
  slug: row.slug as string,
  uri: (row.uri as string | null) ?? undefined,
  backendKind: row.backend_kind as 'mint' | 'broker',
  brokerProviderId: (row.broker_provider_id as string | null) ?? undefined,
  displayName: row.display_name as string,
  scopes: (row.scopes as Partial<ResourceScope>[]).map((scope) => ({
    name: scope.name ?? '',
    description: scope.description ?? '',
    upstream: scope.upstream ?? '',
    default: scope.default ?? false,
  })),
  policy: toPolicy(row.policy as PartialPolicy),
  dpopBoundAccessTokensRequired: row.dpop_bound_access_tokens_required as boolean,
  version: row.version as number,
  createdAt: row.created_at as Date,
  updatedAt: row.updated_at as Date,
  archivedAt: (row.archived_at as Date | null) ?? undefined,
});

type PartialPolicy = { [K in keyof ResourcePolicy]?: Partial<ResourcePolicy[K]> };

const toPolicy = (policy: PartialPolicy): ResourcePolicy => ({
  exchange: {
    allowed_client_ids: policy.exchange?.allowed_client_ids ?? [],
    ...(policy.exchange?.budgets?.length ? { budgets: policy.exchange.budgets } : {}),
  },
  runtime: { client_ids: policy.runtime?.client_ids ?? [] },
  connect: { allowed_return_urls: policy.connect?.allowed_return_urls ?? [] },
});
