import { isLocalhostIssuer } from './issuer.ts';
import type { Problem } from './problems.ts';
import type { Config } from './schema.ts';
import { isUnprotected } from './vault-address.ts';

/** A key is published for five minutes before it signs, so a shorter interval could not be kept. */
const shortestInterval = 600;

/** What is wrong with where the signing keys live, and with how they are rotated. */
export function* brokenSigningRules(config: Config): Iterable<Problem> {
  const { signing, data_encryption } = config;
  if (signing.rotation_interval > 0 && signing.rotation_interval < shortestInterval) {
    yield { key: 'signing.rotation_interval', message: 'must be 0 or at least 10m' };
  }
  if (signing.key_store === 'postgres_key' && data_encryption.driver === undefined) {
    yield { key: 'data_encryption.driver', message: 'is required when signing.key_store is postgres_key' };
  }
  yield* vaultRules(config);
}

/** Vault may be described without being the store: then keys it has go on signing until rotations have led away. */
function* vaultRules({ server, signing: { key_store, vault_transit: vault } }: Config): Iterable<Problem> {
  const section = 'signing.vault_transit';
  if (vault.address === undefined) {
    if (key_store === 'vault_transit')
      yield { key: `${section}.address`, message: 'is required when signing.key_store is vault_transit' };
    return;
  }
  const { role_id, secret_id } = vault.approle;
  if (vault.token === undefined && role_id === undefined && secret_id === undefined) {
    yield { key: `${section}.token`, message: 'is required, or approle.role_id and approle.secret_id' };
  } else if (vault.token !== undefined && (role_id ?? secret_id) !== undefined) {
    yield { key: `${section}.token`, message: 'set either this or approle, not both' };
  } else if (vault.token === undefined) {
    for (const [name, value] of Object.entries({ role_id, secret_id }))
      if (value === undefined) yield { key: `${section}.approle.${name}`, message: 'is required for an AppRole' };
  }
  // Vault's own rule; and the name becomes part of a kid.
  if (!/^\w([\w.-]{0,98}\w)?$/.test(vault.key_name)) {
    yield { key: `${section}.key_name`, message: 'must be letters, digits and .-_ and begin and end with none of .-' };
  }
  if (!isLocalhostIssuer(server.issuer) && isUnprotected(vault.address)) {
    yield { key: `${section}.address`, message: 'must use https off localhost' };
  }
}
