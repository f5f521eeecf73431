import type { Config } from './schema.ts';
import type { Setting } from './settings.ts';
import { valueAt } from './tree.ts';

/** Values from tutorials and habit that an attacker tries first. */
const weak = new Set(['dev-secret-change-me', 'dev-admin-key', 'changeme', 'secret', 'password', 'admin', 'test']);

export const isWeakSecret = (value: unknown) => typeof value === 'string' && weak.has(value.trim().toLowerCase());

/** Keys of the secrets that are set to such a value. */
export function weakSecrets(config: Config, settings: readonly Setting[]): string[] {
  return settings.filter(({ secret, path }) => secret && isWeakSecret(valueAt(config, path))).map(({ key }) => key);
}
