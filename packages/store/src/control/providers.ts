import { type Page, type Paged, type Queryable, type Row, toPaged, totalOf } from '../db.ts';
import { isText } from '../text.ts';
import { isUuid } from '../uuid.ts';

export type ProviderProtocol = 'oauth' | 'api_key' | 'service_account';

/** Where credentials of an upstream come from. */
export type BrokerProvider = {
  id: string;
  slug: string;
  displayName: string;
  protocol: ProviderProtocol;
  /** What the protocol needs. A secret is named in it, never written. */
  configData: Record<string, unknown>;
  /** A secret that was written out, encrypted; absent when there is none. */
  sealedSecret?: { backend: string; blob: Buffer } | undefined;
  version: number;
  createdAt: Date;
  updatedAt: Date;
};

export type NewBrokerProvider = Omit<BrokerProvider, 'version' | 'createdAt' | 'updatedAt'>;

const columns =
  'id, slug, display_name, protocol, config_data, enc_secret_data, enc_secret_backend, version, created_at, updated_at';

export const brokerProviders = (db: Queryable) => ({
  async find(id: string): Promise<BrokerProvider | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await db.query('provider_find', `select ${columns} from broker_providers where id = $1`, [id]);
    return rows.map(toProvider)[0];
  },

  async findBySlug(slug: string): Promise<BrokerProvider | undefined> {
    if (!isText(slug)) return undefined;
    const { rows } = await db.query(
      'provider_find_by_slug',
      `select ${columns} from broker_providers where slug = $1`,
      [slug],
    );
    return rows.map(toProvider)[0];
  },

  /** In the order of their slugs. */
  async list(page: Page): Promise<Paged<BrokerProvider>> {
    const { rows } = await db.query(
      'provider_list',
      `select ${columns}, count(*) over () as total from broker_providers
        where ($1::text is null or slug > $1 collate "C") order by slug collate "C" limit $2 offset $3`,
      [page.after ?? null, page.limit + 1, page.offset],
    );
    const total = page.after === undefined ? totalOf(rows, page) : undefined;
    return toPaged(rows.map(toProvider), page, { positionOf: ({ slug }) => slug, total });
  },

  /** @throws {DuplicateRow} when the slug is taken */
  async insert(provider: NewBrokerProvider): Promise<BrokerProvider> {
    const { rows } = await db.query(
      'provider_insert',
      `insert into broker_providers (id, slug, display_name, protocol, config_data, enc_secret_data, enc_secret_backend)
       values ($1, $2, $3, $4, $5, $6, $7) returning ${columns}`,
      [provider.id, ...values(provider)],
    );
    return toProvider(rows[0] as Row);
  },

  /**
   * `undefined` when the row is gone or its version moved on. A secret that stays is not written: it may have been encrypted
   * anew since it was read. @throws {DuplicateRow} when the slug is taken
   */
  async update(
    provider: BrokerProvider,
    { keepsSecret }: { keepsSecret: boolean },
  ): Promise<BrokerProvider | undefined> {
    const { rows } = await db.query(
      'provider_update',
      `update broker_providers set slug = $2, display_name = $3, protocol = $4, config_data = $5,
              enc_secret_data = case when $8 then enc_secret_data else $6 end,
              enc_secret_backend = case when $8 then enc_secret_backend else $7 end,
              version = version + 1, updated_at = now()
        where id = $1 and version = $9 returning ${columns}`,
      [provider.id, ...values(provider), keepsSecret, provider.version],
    );
    return rows.map(toProvider)[0];
  },

  /** The provider for this transaction alone: nothing that refers to it comes while it is deleted. */
  async lock(id: string): Promise<void> {
    await db.query('provider_lock', 'select 1 from broker_providers where id = $1 for update', [id]);
  },

  /** Archived resources that it served forget it. */
  async delete(id: string): Promise<boolean> {
    const { rowCount } = await db.query('provider_delete', 'delete from broker_providers where id = $1', [id]);
    return rowCount === 1;
  },
});

const values = (provider: NewBrokerProvider): unknown[] => [
  provider.slug,
  provider.displayName,
  provider.protocol,
  JSON.stringify(provider.configData),
  provider.sealedSecret?.blob ?? null,
  provider.sealedSecret?.backend ?? null,
];

const toProvider = (row: Row): BrokerProvider => ({
  id: row.id as string,
  slug: row.slug as string,
  displayName: row.display_name as string,
  protocol: row.protocol as ProviderProtocol,
  configData: row.config_data as Record<string, unknown>,
  sealedSecret:
    row.enc_secret_data === null
      ? undefined
      : { blob: row.enc_secret_data as Buffer, backend: row.enc_secret_backend as string },
  version: row.version as number,
  createdAt: row.created_at as Date,
  updatedAt: row.updated_at as Date,
});
