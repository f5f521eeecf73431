import { environmentName, httpUrl } from '../checks.ts';
import { choice, duration, optionalChoice, optionalText, section, text } from '../leaf.ts';

const variable = () => optionalText(environmentName, 'env name');

export const dataEncryption = section({
  driver: optionalChoice(['aes_master', 'vault_transit_encrypt']).describe(
    'How secrets in the database are encrypted. What the other driver encrypted is still opened while its settings are given.',
  ),
  aes_master: section({
    key_env: variable()
      .describe('Environment variable that holds the master key, 64 hex digits; or, in `<NAME>_FILE`, its file.')
      .meta({ env: 'DATA_ENCRYPTION_KEY_ENV' }),
    old_key_env: variable()
      .describe('Environment variable that holds the key before it, still used to decrypt.')
      .meta({ env: 'DATA_ENCRYPTION_OLD_KEY_ENV' }),
  }),
  vault_transit_encrypt: section({
    address: optionalText(httpUrl, 'url').describe('Vault address.').meta({ env: 'DATA_ENCRYPTION_VAULT_ADDRESS' }),
    mount_path: text('transit')
      .describe('Mount of the Transit engine.')
      .meta({ env: 'DATA_ENCRYPTION_VAULT_MOUNT_PATH' }),
    key_name: optionalText()
      .describe('Name of the Transit key, of type `aes256-gcm96`.')
      .meta({ env: 'DATA_ENCRYPTION_VAULT_KEY_NAME' }),
    namespace: optionalText()
      .describe('Namespace of Vault Enterprise or OpenBao.')
      .meta({ env: 'DATA_ENCRYPTION_VAULT_NAMESPACE' }),
    ca_path: optionalText()
      .describe('PEM file of the authorities to trust, instead of those of Node.')
      .meta({ env: 'DATA_ENCRYPTION_VAULT_CA_PATH' }),
    timeout: duration('10s', { min: '1ms' })
      .describe('Time a call to Vault may take.')
      .meta({ env: 'DATA_ENCRYPTION_VAULT_TIMEOUT' }),
    auth_method: choice(['token', 'approle'], 'token')
      .describe('How to log in to Vault.')
      .meta({ env: 'DATA_ENCRYPTION_VAULT_AUTH_METHOD' }),
    token_env: variable()
      .describe('Environment variable that holds the token.')
      .meta({ env: 'DATA_ENCRYPTION_VAULT_TOKEN_ENV' }),
    approle: section({
      role_id_env: variable()
        .describe('Environment variable that holds the role id.')
        .meta({ env: 'DATA_ENCRYPTION_VAULT_ROLE_ID_ENV' }),
      secret_id_env: variable()
        .describe('Environment variable that holds the secret id.')
        .meta({ env: 'DATA_ENCRYPTION_VAULT_SECRET_ID_ENV' }),
      mount: text('approle')
        .describe('Mount of the AppRole method.')
        .meta({ env: 'DATA_ENCRYPTION_VAULT_APPROLE_MOUNT' }),
    }),
  }),
});
