import type { Problem } from './problems.ts';
import type { Environment } from './settings.ts';
import { isTree, type Tree } from './tree.ts';

/** One resource and one provider can be described by the environment, which is all that many a container needs. */
const resourceUri = 'AUTHPLANE_RESOURCE_URI';
const resourceScopes = 'AUTHPLANE_RESOURCE_SCOPES';
const provider = 'AUTHPLANE_BROKER_PROVIDER_';
const oldSecretReference = 'CLIENT_SECRET_ENV';

/** Members of `config_data` with a variable of their own. */
const configDataNames = ['CLIENT_ID', 'CLIENT_SECRET_REF', 'AUTHORIZE_URL', 'TOKEN_URL', 'RESPONSE_FORMAT'] as const;

/** Every variable read here. */
export const seedVariables: readonly string[] = [
  resourceUri,
  resourceScopes,
  ...['SLUG', 'DISPLAY_NAME', 'PROTOCOL', oldSecretReference, ...configDataNames].map((name) => provider + name),
];

/** Adds the resource and the provider of the environment to the lists of `tree`. */
export function applySeedEnvironment(tree: Tree, env: Environment, warn: (notice: string) => void): Problem[] {
  return [...applyResource(tree, env), ...applyProvider(tree, env, warn)];
}

/** A mint resource. Its scopes replace those the file gives a resource of the same URI. */
function applyResource(tree: Tree, env: Environment): Problem[] {
  const uri = env[resourceUri]?.trim();
  const scopes = scopesOf(env[resourceScopes]);
  if (!uri) {
    return scopes ? [{ key: resourceScopes, message: `needs ${resourceUri}` }] : [];
  }
  const url = URL.parse(uri);
  if (!url?.host || !url.protocol.startsWith('http')) {
    return [{ key: resourceUri, message: 'expected an http or https URL' }];
  }
  const resources = listAt(tree, 'resources');
  const same = resources.find((resource) => isTree(resource) && sameUri(resource.uri, url));
  if (isTree(same)) {
    if (scopes) same.scopes = scopes;
  } else {
    resources.push({ slug: slugOf(url.host), uri, backend_kind: 'mint', scopes: scopes ?? [] });
  }
  return [];
}

function scopesOf(text: string | undefined): { name: string }[] | undefined {
  if (!text?.trim()) return undefined;
  const names = text.split(',').map((name) => name.trim());
  return [...new Set(names)].filter((name) => name !== '').map((name) => ({ name }));
}

const sameUri = (uri: unknown, url: URL) => typeof uri === 'string' && URL.parse(uri)?.href === url.href;

/** `mcp.example.com:8080` becomes `mcp-example-com-8080`. */
export function slugOf(host: string): string {
  const dashed = host.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return dashed.replace(/^-/, '').slice(0, 64).replace(/-$/, '');
}

/** A provider, merged into the one of the same slug when the file has it. */
function applyProvider(tree: Tree, env: Environment, warn: (notice: string) => void): Problem[] {
  const given = (name: string) => env[provider + name]?.trim() || undefined;
  const slug = given('SLUG');
  if (!slug) {
    const stray = seedVariables.find((name) => name.startsWith(provider) && env[name]);
    return stray ? [{ key: stray, message: `needs ${provider}SLUG` }] : [];
  }
  const configData: Tree = {};
  for (const name of configDataNames) {
    const value = given(name);
    if (value) configData[name.toLowerCase()] = value;
  }
  const oldReference = given(oldSecretReference);
  if (oldReference) {
    warn(`${provider}${oldSecretReference} is deprecated; use ${provider}CLIENT_SECRET_REF`);
    configData.client_secret_ref ??= oldReference;
  }

  const providers = listAt(tree, 'broker_providers');
  const same = providers.find((entry) => isTree(entry) && entry.slug === slug);
  const entry: Tree = isTree(same) ? same : { slug, display_name: slug, protocol: 'oauth' };
  if (!isTree(same)) providers.push(entry);
  entry.display_name = given('DISPLAY_NAME') ?? entry.display_name ?? slug;
  entry.protocol = given('PROTOCOL') ?? entry.protocol ?? 'oauth';
  entry.config_data = { ...(isTree(entry.config_data) ? entry.config_data : {}), ...configData };
  return [];
}

/** The list at `name`, put there when missing. Something else than a list is left for the schema to refuse. */
function listAt(tree: Tree, name: string): unknown[] {
  tree[name] ??= [];
  return Array.isArray(tree[name]) ? tree[name] : [];
}
