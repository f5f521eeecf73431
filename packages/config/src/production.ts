import { isLocalhostIssuer } from './issuer.ts';
import type { Problem } from './problems.ts';
import type { Config } from './schema.ts';
import type { Setting } from './settings.ts';
import { weakSecrets } from './weak-secrets.ts';

/** Rules of a server that others can reach: everything whose issuer is not on localhost. */
export function brokenProductionRules(config: Config, settings: readonly Setting[]): Problem[] {
  if (isLocalhostIssuer(config.server.issuer)) return [];
  const weak = weakSecrets(config, settings);
  return [
    ...exposureRules(config),
    ...secretRules(config).filter(({ key }) => !weak.includes(key)), // one problem a secret
    ...weak.map((key) => ({ key, message: 'is a well-known value; generate a random one' })),
  ];
}

function* exposureRules({ server, session, storage, cimd }: Config): Iterable<Problem> {
  if (!server.issuer.startsWith('https://')) yield { key: 'server.issuer', message: 'must use https off localhost' };
  if (!session.secure) yield { key: 'session.secure', message: 'must be true off localhost' };
  if (storage.driver !== 'postgres') {
    yield { key: 'storage.driver', message: 'must be postgres off localhost; embedded is for one machine' };
  }
  if (!cimd.require_https) yield { key: 'cimd.require_https', message: 'must be true off localhost' };
  if (cimd.allow_private_addresses) {
    yield { key: 'cimd.allow_private_addresses', message: 'must be false off localhost' };
  }
}

function secretRules({ session, admin }: Config): Problem[] {
  const required = (key: string, value: string | undefined, length: number): Problem[] => {
    if (value === undefined) return [{ key, message: `is required off localhost, at least ${length} characters` }];
    return value.trim().length < length ? [{ key, message: `must have at least ${length} characters` }] : [];
  };
  return [
    ...required('session.secret', session.secret, 32),
    ...(admin.enabled ? required('admin.api_key', admin.api_key, 16) : []),
  ];
}
