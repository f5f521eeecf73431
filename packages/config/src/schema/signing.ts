import { environmentName, httpUrl } from '../checks.ts';
import { choice, duration, optionalText, secret, section, text } from '../leaf.ts';

export const signing = section({
  algorithm: choice(['ES256', 'RS256', 'EdDSA'], 'ES256').describe(
    'Algorithm of new signing keys (RFC 7518 §3.1, RFC 8037). Keys already made keep theirs.',
  ),
  key_store: choice(['keyfile', 'postgres_key', 'vault_transit'], 'keyfile').describe(
    'Where private keys live: in files of one machine, in the database (encrypted as `data_encryption` says), or in Vault.',
  ),
  key_path: text('data/keys').describe('Directory of the `keyfile` store, created with mode 0700.'),
  rotation_interval: duration('0').describe(
    'How long a key signs before an admin process rotates it; at least 10m; 0 is off, then rotate at least every 90 days.',
  ),
  postgres_key: section({
    encryption_key_env: optionalText(environmentName, 'env name')
      .describe('Informational: keys are encrypted as `data_encryption` says.')
      .meta({ env: 'SIGNING_PG_ENCRYPTION_KEY_ENV' }),
  }),
  vault_transit: section({
    address: optionalText(httpUrl, 'url').describe('Vault address.').meta({ env: 'VAULT_ADDR' }),
    mount: text('transit').describe('Mount of the Transit engine.').meta({ env: 'VAULT_TRANSIT_MOUNT' }),
    key_name: text('authserver-signing')
      .describe(
        'Name of the Transit key, made when it is missing; of another algorithm than its own is `<key_name>-rs256` and so on.',
      )
      .meta({ env: 'VAULT_TRANSIT_KEY_NAME' }),
    namespace: optionalText().describe('Namespace of Vault Enterprise or OpenBao.').meta({ env: 'VAULT_NAMESPACE' }),
    ca_path: optionalText()
      .describe('PEM file of the authorities to trust, instead of those of Node.')
      .meta({ env: 'VAULT_CA_PATH' }),
    timeout: duration('10s', { min: '1ms' }).describe('Time a call to Vault may take.').meta({ env: 'VAULT_TIMEOUT' }),
    token: secret().describe('Vault token; either this or `approle`.').meta({ env: 'VAULT_TOKEN' }),
    approle: section({
      role_id: optionalText().describe('AppRole role id.').meta({ env: 'VAULT_APPROLE_ROLE_ID' }),
      secret_id: secret()
        .describe('AppRole secret id, required with `role_id`.')
        .meta({ env: 'VAULT_APPROLE_SECRET_ID' }),
      mount: text('approle').describe('Mount of the AppRole method.').meta({ env: 'VAULT_APPROLE_MOUNT' }),
    }),
  }),
});
