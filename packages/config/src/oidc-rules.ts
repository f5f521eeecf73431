import { isLocalhostIssuer, issuerProblem } from './issuer.ts';
import { readNamedSecret } from './named-secret.ts';
import type { Problem } from './problems.ts';
import type { Config } from './schema.ts';
import type { Environment } from './settings.ts';

/** Where the provider sends people back to, below the issuer of this server. */
export const oidcCallbackPath = '/oidc/callback';

/** What is wrong with the way people sign in at an OpenID provider, the variable with the client secret included. */
export function* brokenOidcRules({ oidc, server, session }: Config, env: Environment): Iterable<Problem> {
  if (!oidc.enabled) return;
  const required = (key: 'issuer' | 'client_id'): Problem[] =>
    oidc[key] === undefined ? [{ key: `oidc.${key}`, message: 'is required when oidc.enabled is true' }] : [];
  yield* required('issuer');
  yield* required('client_id');
  if (oidc.issuer !== undefined) {
    const message = providerProblem(oidc.issuer, server.issuer);
    if (message) yield { key: 'oidc.issuer', message };
  }
  yield* secretRules(oidc, env);
  const callback = `${server.issuer}${oidcCallbackPath}`;
  if (oidc.redirect_uri !== undefined && oidc.redirect_uri !== callback)
    yield { key: 'oidc.redirect_uri', message: `must be ${callback}, where this server answers; or leave it out` };
  if (session.same_site === 'strict')
    yield {
      key: 'session.same_site',
      message: 'must not be strict with oidc: whoever comes back would not be signed in',
    };
  if (!oidc.scopes.includes('openid'))
    yield { key: 'oidc.scopes', message: 'must contain openid (OpenID Connect Core §3.1.2.1)' };
}

/** Providers differ in whether theirs ends with a slash; it is compared as it is written. */
function providerProblem(issuer: string, ours: string): string | undefined {
  if (issuer === ours) return 'must be another server than this one';
  const problem = issuerProblem(issuer.replace(/\/$/, ''));
  if (problem) return problem;
  return issuer.startsWith('https://') || isLocalhostIssuer(issuer) ? undefined : 'must use https off localhost';
}

function* secretRules({ client_secret, client_secret_ref }: Config['oidc'], env: Environment): Iterable<Problem> {
  if (client_secret !== undefined && client_secret_ref !== undefined)
    yield { key: 'oidc.client_secret_ref', message: 'set either this or oidc.client_secret, not both' };
  else if (client_secret_ref !== undefined) {
    const read = readNamedSecret(env, client_secret_ref);
    if ('problem' in read) yield { key: 'oidc.client_secret_ref', message: read.problem };
  } else if (client_secret === undefined)
    yield { key: 'oidc.client_secret', message: 'is required when oidc.enabled is true, or oidc.client_secret_ref' };
}

/** Puts what `oidc.client_secret_ref` leads to where a secret that is written out would be. */
export function resolveClientSecret({ oidc }: Config, env: Environment): void {
  if (!oidc.enabled || oidc.client_secret_ref === undefined) return;
  const read = readNamedSecret(env, oidc.client_secret_ref);
  if ('value' in read) oidc.client_secret = read.value;
}
