import { isScopeToken, resourceKey } from '@authserver/oauth';
import { z } from 'zod';
import { page, plainText, QueryFlag, Slug, Timestamp } from './fields.ts';
import { FrontingLinkView } from './fronting.ts';

const isHttpUrl = (uri: string): boolean => {
  const url = URL.parse(uri);
  return (
    !/[\s\p{Cc}]/u.test(uri) &&
    uri.isWellFormed() &&
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.username === '' &&
    url.password === ''
  );
};

/** Clients and proxies normalise; two spellings of one address must not be two audiences (RFC 3986 §6.2). */
const isNormalForm = (uri: string): boolean => {
  const url = URL.parse(uri);
  if (url === null || url.hostname.endsWith('.') || uri.endsWith('?')) return false;
  return resourceKey(url.href) === resourceKey(uri);
};

/** What a client names as `resource` (RFC 8707 §2), and the `aud` of its tokens, byte for byte. */
const ResourceUri = z
  .string()
  .refine(
    (uri) => resourceKey(uri) !== undefined && isHttpUrl(uri),
    'must be an absolute http or https URL without user info and fragment',
  )
  .refine(
    isNormalForm,
    'must be in normal form: no default port, dot segments, other spellings of an address, or empty query',
  )
  .describe('Resource identifier and audience of its tokens.');

export const ResourceScope = z
  .strictObject({
    name: z.string().refine(isScopeToken, 'must be a scope token (RFC 6749 §3.3)'),
    description: plainText(1024).default('').describe('Sentence for the consent page.'),
    upstream: plainText(1024).default('').describe('What the scope is called at an upstream provider.'),
    default: z.boolean().default(false).describe('Granted when a request names no scope.'),
  })
  .meta({ id: 'ResourceScope' });

const Scopes = z
  .array(ResourceScope)
  .max(500)
  .refine((scopes) => new Set(scopes.map(({ name }) => name)).size === scopes.length, 'must not repeat a name')
  .describe('Scope catalog of the resource.');

const ClientId = plainText(2000).min(1);

const loopbackPrefix = /^https?:\/\/(localhost|127\.0\.0\.1):$/;

/** Where a connect flow may return: an exact URL, or `http://localhost:` for any port and path there. */
const ReturnUrl = plainText(2000).refine(
  (url) => loopbackPrefix.test(url) || isHttpUrl(url),
  'must be an absolute http or https URL',
);

const unique = <T extends z.ZodString>(item: T) =>
  z
    .array(item)
    .max(1000)
    .transform((items) => [...new Set(items)]);

const limit = (most: number) => z.int().min(1).max(most).optional();

/** What may be done by token exchange before the user is asked again. */
export const ExchangeBudget = z
  .strictObject({
    client_id: ClientId.optional().describe('Who asks or acts. Absent: every client without an entry of its own.'),
    max_uses: limit(1_000_000).describe('Exchanges since the user last consented.'),
    max_lifetime: limit(315_360_000).describe('Seconds since the user last consented; no token lives longer.'),
    max_depth: limit(32).describe('Length of the chain of a new token, in exchanges or actors.'),
  })
  .refine(
    ({ max_uses, max_lifetime, max_depth }) => (max_uses ?? max_lifetime ?? max_depth) !== undefined,
    'must limit something: max_uses, max_lifetime or max_depth',
  )
  .meta({ id: 'ExchangeBudget' });

const Budgets = z
  .array(ExchangeBudget)
  .max(1000)
  .refine(
    (budgets) => new Set(budgets.map(({ client_id }) => client_id)).size === budgets.length,
    'must not repeat a client',
  );

export const ResourcePolicy = z
  .strictObject({
    exchange: z
      .strictObject({
        allowed_client_ids: unique(ClientId)
          .default([])
          .describe('Clients that may exchange a token of another client for this resource.'),
        budgets: Budgets.optional().describe('What each may do before the user is asked again.'),
      })
      .prefault({})
      .describe('Who may exchange tokens for this resource, and how far.'),
    runtime: z
      .strictObject({ client_ids: unique(ClientId).default([]) })
      .prefault({})
      .describe('Clients that may act as this resource, for example at introspection. Empty: none.'),
    connect: z
      .strictObject({ allowed_return_urls: unique(ReturnUrl).default([]) })
      .prefault({})
      .describe('Where a connect flow for this resource may return; only for broker.'),
  })
  .meta({ id: 'ResourcePolicy' });

const BackendKind = z
  .enum(['mint', 'broker'])
  .describe('mint: tokens are ours. broker: what is behind it takes tokens of an upstream provider.');

const ProviderId = plainText(256).describe('Id of the upstream provider; needed for broker, empty for mint.');

const DpopRequired = z
  .boolean()
  .describe('Issue only tokens that are bound to a key, and say so in the metadata (RFC 9449, RFC 9728 §2).');

export const CreateResource = z
  .strictObject({
    slug: Slug,
    uri: ResourceUri.optional(),
    backend_kind: BackendKind.default('mint'),
    broker_provider_id: ProviderId.optional(),
    broker_provider_slug: plainText(256)
      .optional()
      .describe('Slug of the upstream provider, instead of its id. If both are given, they must agree.'),
    display_name: plainText(255).default('').describe('Name on the consent page.'),
    scopes: Scopes.default([]),
    policy: ResourcePolicy.prefault({}),
    dpop_bound_access_tokens_required: DpopRequired.default(false),
  })
  .meta({ id: 'CreateResource' });

/** `scopes` and `policy` replace what is there; to change one list of the policy, use its own routes. */
export const UpdateResource = z
  .strictObject({
    slug: Slug,
    uri: ResourceUri,
    backend_kind: BackendKind,
    broker_provider_id: ProviderId,
    display_name: plainText(255).describe('Name on the consent page.'),
    scopes: Scopes,
    policy: ResourcePolicy,
    dpop_bound_access_tokens_required: DpopRequired,
  })
  .partial()
  .meta({ id: 'UpdateResource' });

export const ListResources = z
  .strictObject({
    slug: plainText(256)
      .optional()
      .describe('Answer with this one resource instead of a list; goes with nothing else.'),
    backend_kind: z.enum(['mint', 'broker']).optional(),
    broker_provider_id: plainText(256).optional().describe('Those of this upstream provider.'),
    archived: z
      .enum(['true', 'false'])
      .optional()
      .describe('true: those that were deleted and are kept for their history, instead of those in use.'),
    cursor: page({ default: 100, max: 500 }).cursor,
    limit: page({ default: 100, max: 500 }).limit.removeDefault().optional(),
    offset: page({ default: 100, max: 500 }).offset.removeDefault().optional(),
  })
  .refine(
    ({ slug, ...others }) => slug === undefined || Object.values(others).every((value) => value === undefined),
    'slug cannot be combined with other parameters',
  );

export const ExchangeClients = z.object({ allowed_client_ids: z.array(z.string()) }).meta({ id: 'ExchangeClients' });
export const ExchangeBudgets = z.object({ budgets: z.array(ExchangeBudget) }).meta({ id: 'ExchangeBudgets' });
export const RuntimeClients = z.object({ client_ids: z.array(z.string()) }).meta({ id: 'RuntimeClients' });
export const ReturnUrls = z.object({ allowed_return_urls: z.array(z.string()) }).meta({ id: 'ReturnUrls' });

export const ResourceView = z
  .object({
    id: z.string(),
    slug: z.string(),
    uri: z.string().describe('Empty when the resource has none.'),
    backend_kind: z.enum(['mint', 'broker']),
    broker_provider_id: z.string().describe('Empty for mint.'),
    display_name: z.string(),
    scopes: z.array(
      z.object({ name: z.string(), description: z.string(), upstream: z.string(), default: z.boolean() }),
    ),
    policy: z.object({
      exchange: ExchangeClients.extend({
        budgets: z.array(ExchangeBudget).optional().describe('Absent: none.'),
      }).meta({ id: 'ExchangePolicy' }),
      runtime: RuntimeClients,
      connect: ReturnUrls.optional().describe('Absent for mint.'),
    }),
    dpop_bound_access_tokens_required: z.boolean(),
    created_at: Timestamp,
    updated_at: Timestamp,
    archived_at: Timestamp.optional().describe(
      'When it was deleted and kept for its history: tokens for it are dead, its slug and URI free for another.',
    ),
  })
  .meta({ id: 'Resource' });

export const DeleteResource = z.strictObject({
  cascade: QueryFlag.describe('Delete the fronting links that begin or end at it as well.'),
});

/** What the deletion of a resource ends. */
export const ResourceEnd = z
  .object({
    dependents: z.array(FrontingLinkView).describe('Fronting links that go with it.'),
    consents: z.int().describe('Consents of users that end.'),
    families: z.int().describe('Refresh token families that end.'),
    issuances: z.int().describe('Tokens that were ever issued for it; at most 100000 are counted.'),
    archived: z.boolean().describe('Whether it is kept for its history, because there is one.'),
  })
  .meta({ id: 'ResourceEnd' });

export const PolicyClient = z.strictObject({ client_id: ClientId }).meta({ id: 'PolicyClient' });
export const PolicyReturnUrl = z.strictObject({ url: ReturnUrl }).meta({ id: 'PolicyReturnUrl' });
export const RemoveBudget = z.strictObject({
  client_id: ClientId.optional().describe('Absent: the one for every client without an entry of its own.'),
});
export const RemoveReturnUrl = z.strictObject({ url: plainText(2000) });
