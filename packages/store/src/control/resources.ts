import { resourceKey } from '@authserver/oauth';
import { type Queryable, type Row, totalOf } from '../db.ts';
import { isUuid } from '../uuid.ts';

export type ResourceScope = { name: string; description: string; upstream: string; default: boolean };
export type ResourcePolicy = {
  exchange: { allowed_client_ids: string[] };
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
};

export type NewResource = Omit<Resource, 'version' | 'createdAt' | 'updatedAt' | 'dpopBoundAccessTokensRequired'> &
  Partial<Pick<Resource, 'dpopBoundAccessTokensRequired'>>;

const columns = `id, slug, uri, backend_kind, broker_provider_id, display_name, scopes, policy,
  dpop_bound_access_tokens_required, version, created_at, updated_at`;

export const resources = (db: Queryable) => ({
  async find(id: string): Promise<Resource | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('resource_find', `select ${columns} from resources where id = $1`, [id]);
    return rows.map(toResource)[0];
  },

  async findBySlug(slug: string): Promise<Resource | undefined> {
    const { rows } = await db.query('resource_find_by_slug', `select ${columns} from resources where slug = $1`, [
      slug,
    ]);
    return rows.map(toResource)[0];
  },

  /** Every resource: there are as many as an organisation has MCP servers, and the data plane keeps them all in memory. */
  async all(): Promise<Resource[]> {
    const { rows } = await db.query('resource_all', `select ${columns} from resources order by slug`);
    return rows.map(toResource);
  },

  async list(
    filter: { backendKind?: string; brokerProviderId?: string },
    page: { limit: number; offset: number },
  ): Promise<{ rows: Resource[]; total: number | undefined }> {
    const { rows } = await db.query(
      'resource_list',
      `select ${columns}, count(*) over () as total from resources
        where ($1::text is null or backend_kind = $1) and ($2::text is null or broker_provider_id::text = $2)
        order by created_at, id limit $3 offset $4`,
      [filter.backendKind ?? null, filter.brokerProviderId ?? null, page.limit, page.offset],
    );
    return { rows: rows.map(toResource), total: totalOf(rows, page) };
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
        where id = $1 and version = $11 returning ${columns}`,
      [resource.id, ...values(resource), resource.version],
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
});

type PartialPolicy = { [K in keyof ResourcePolicy]?: Partial<ResourcePolicy[K]> };

const toPolicy = (policy: PartialPolicy): ResourcePolicy => ({
  exchange: { allowed_client_ids: policy.exchange?.allowed_client_ids ?? [] },
  runtime: { client_ids: policy.runtime?.client_ids ?? [] },
  connect: { allowed_return_urls: policy.connect?.allowed_return_urls ?? [] },
});
