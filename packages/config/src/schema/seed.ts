import { z } from 'zod';
import { httpUrl, scopeToken, secretReference, slug } from '../checks.ts';
import { choice, flag, freeObject, list, optionalText, requiredChoice, requiredText, section } from '../leaf.ts';

/** Rows created at boot when their slug does not exist yet; never an update. */
const Scope = z.strictObject({
  name: requiredText(scopeToken).describe('Scope token (RFC 6749 §3.3).'),
  description: optionalText().describe('Sentence for the consent page.'),
  upstream: optionalText().describe('What the scope is called at the upstream provider.'),
  default: flag(false).describe('Granted when a request names no scope. With no default marked, the whole catalog is.'),
});

export const Resource = z.strictObject({
  slug: requiredText(slug).describe('Name in URLs and on the command line.'),
  uri: optionalText(httpUrl, 'url').describe('Resource identifier and audience of its tokens (RFC 8707 §2).'),
  backend_kind: choice(['mint', 'broker'], 'mint').describe(
    '`mint`: tokens are ours. `broker`: what is behind it takes tokens of an upstream provider.',
  ),
  display_name: optionalText().describe('Name on the consent page.'),
  scopes: z.array(Scope).default([]).describe('Scopes of the resource.'),
  policy: section({
    exchange: section({
      allowed_client_ids: list([]).describe('Clients that may exchange a token of another client for this resource.'),
    }),
    runtime: section({
      client_ids: list([]).describe('Clients that may act as this resource. Empty: none.'),
    }),
    connect: section({
      allowed_return_urls: list([], httpUrl).describe('Where a connect flow for this resource may return.'),
    }),
  }),
  broker_provider_id: optionalText().describe('Upstream provider, by id; only for `broker`.'),
  broker_provider_slug: optionalText(slug).describe('Upstream provider, by slug; instead of the id.'),
});

/** Secrets of a provider are named; only `client_secret` may be written, where secrets are encrypted (`rules.ts`). */
const configData = (data: Record<string, unknown>) => {
  for (const [name, value] of Object.entries(data)) {
    if (/_(secret|password)$/.test(name) && name !== 'client_secret' && value !== '') {
      return `${name} must not be written here; name an environment variable in client_secret_ref`;
    }
    if (name === 'client_secret_ref' && typeof value === 'string' && secretReference(value)) {
      return `client_secret_ref: ${secretReference(value)}`;
    }
  }
  return undefined;
};

export const BrokerProvider = z.strictObject({
  slug: requiredText(slug).describe('Name in URLs and on the command line.'),
  display_name: requiredText().describe('Name people see.'),
  protocol: requiredChoice(['oauth', 'api_key', 'service_account']).describe('How its credentials are obtained.'),
  config_data: freeObject(configData).describe('What the protocol needs, such as `client_id` and `token_url`.'),
});

export const resources = z
  .array(Resource)
  .default([])
  .describe('Resources created at boot when their slug is new.')
  .meta({ kind: 'list of resources', fallback: [], env: false });

export const brokerProviders = z
  .array(BrokerProvider)
  .default([])
  .describe('Upstream providers created at boot when their slug is new, before the resources.')
  .meta({ kind: 'list of providers', fallback: [], env: false });
