import { isLocalhostIssuer } from './issuer.ts';
import { readNamedSecret } from './named-secret.ts';
import type { Problem } from './problems.ts';
import type { Config } from './schema.ts';
import type { Environment } from './settings.ts';
import { isUnprotected } from './vault-address.ts';

type Section = Config['data_encryption'];

/**
 * What is wrong with the way secrets in the database are encrypted, the values of the variables that it names included. A
 * backend may be described without being `driver`: then it only opens what it encrypted before.
 */
export function brokenEncryptionRules(config: Config, env: Environment): Problem[] {
  const { driver, aes_master: aes, vault_transit_encrypt: vault } = config.data_encryption;
  const usesAes = driver === 'aes_master' || (aes.key_env ?? aes.old_key_env) !== undefined;
  const usesVault = driver === 'vault_transit_encrypt' || (vault.address ?? vault.key_name) !== undefined;
  if (driver === undefined && (usesAes || usesVault))
    return [{ key: 'data_encryption.driver', message: 'is required, because the settings of a driver are given' }];
  return [
    ...(usesAes ? aesRules(aes, env) : []),
    ...(usesVault ? vaultRules(vault, env) : []),
    ...(usesVault && !isLocalhostIssuer(config.server.issuer) ? vaultExposure(vault) : []),
  ];
}

const hexDigits = /^[0-9a-f]{64}$/i;

function* aesRules({ key_env, old_key_env }: Section['aes_master'], env: Environment): Iterable<Problem> {
  const key = 'data_encryption.aes_master.key_env';
  const oldKey = 'data_encryption.aes_master.old_key_env';
  if (key_env === undefined) yield { key, message: 'is required for aes_master' };
  const values: string[] = [];
  for (const [setting, name] of [
    [key, key_env],
    [oldKey, old_key_env],
  ] as const) {
    if (name === undefined) continue;
    const read = readNamedSecret(env, name);
    if ('problem' in read) yield { key: setting, message: read.problem };
    else if (!hexDigits.test(read.value))
      yield { key: setting, message: `names ${name}, which must hold 64 hexadecimal digits (openssl rand -hex 32)` };
    else if (/^(.)\1*$/.test(read.value))
      yield { key: setting, message: `names ${name}, which holds the same digit 64 times; generate a random one` };
    else values.push(read.value.toLowerCase());
  }
  if (key_env !== undefined && key_env === old_key_env) {
    yield { key: oldKey, message: 'names the same variable as key_env; it is for the key before it' };
  } else if (values.length === 2 && values[0] === values[1]) {
    yield { key: oldKey, message: 'holds the same key as key_env; it is for the key before it' };
  }
}

function* vaultRules(vault: Section['vault_transit_encrypt'], env: Environment): Iterable<Problem> {
  const section = 'data_encryption.vault_transit_encrypt';
  const { auth_method, token_env, approle } = vault;
  for (const name of ['address', 'key_name'] as const)
    if (vault[name] === undefined)
      yield { key: `${section}.${name}`, message: 'is required for vault_transit_encrypt' };
  const needed: [key: string, name: string | undefined][] =
    auth_method === 'token'
      ? [[`${section}.token_env`, token_env]]
      : [
          [`${section}.approle.role_id_env`, approle.role_id_env],
          [`${section}.approle.secret_id_env`, approle.secret_id_env],
        ];
  for (const [key, name] of needed) {
    if (name === undefined) {
      yield { key, message: `is required when ${section}.auth_method is ${auth_method}` };
    } else {
      const read = readNamedSecret(env, name);
      if ('problem' in read) yield { key, message: read.problem };
    }
  }
}

function* vaultExposure({ address }: Section['vault_transit_encrypt']): Iterable<Problem> {
  if (isUnprotected(address))
    yield { key: 'data_encryption.vault_transit_encrypt.address', message: 'must use https off localhost' };
}
