import { z } from 'zod';
import { plainText } from './fields.ts';

export const providerProtocols = ['oauth', 'api_key', 'service_account'] as const;
export type ProviderProtocol = (typeof providerProtocols)[number];

/**
 * The prefix keeps a provider from naming what is not meant for it: the administrator of providers must not be able to send
 * the session secret to a token URL of their own.
 */
const SecretReference = z
  .string()
  .max(255)
  .regex(
    /^(CONNECTOR_|AUTHPLANE_VAULT_)[A-Z0-9_]+$/,
    'must be the name of an environment variable that starts with CONNECTOR_ or AUTHPLANE_VAULT_',
  );

const isUpstreamUrl = (text: string): boolean => {
  const url = /[\s\p{Cc}\\]/u.test(text) || !text.isWellFormed() ? null : URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || text.includes('#')) return false;
  return (
    url.protocol === 'https:' || (url.protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname))
  );
};

/** Where it leads is checked again when it is asked, by the guarded client. */
const UpstreamUrl = z
  .string()
  .max(2000)
  .refine(isUpstreamUrl, 'must be an https URL, or an http one on this machine, without user info and fragment');

/** What an authorization request consists of already (RFC 6749 §4.1.1, RFC 7636, RFC 9101) is not the operator's to say. */
const reservedParams: readonly string[] = [
  ...['response_type', 'response_mode', 'client_id', 'client_secret', 'redirect_uri', 'scope', 'state', 'nonce'],
  ...['code', 'code_challenge', 'code_challenge_method', 'code_verifier', 'grant_type', 'refresh_token'],
  ...['request', 'request_uri', 'client_assertion', 'client_assertion_type'],
];

/** Members that are not what anything here needs, but where people put secrets. */
const holdsSecret = /(^|_)(secret|password|passphrase|private_key|api_key|sa_key|token|credentials?)$/i;

const ExtraAuthParams = z
  .record(plainText(128).min(1), plainText(2000))
  .refine((params) => Object.keys(params).length <= 50, 'must not have more than 50 members')
  .superRefine((params, context) => {
    for (const name of Object.keys(params))
      if (reservedParams.includes(name.toLowerCase()))
        context.addIssue({ code: 'custom', path: [name], message: 'is set by the server itself' });
      else if (holdsSecret.test(name))
        context.addIssue({ code: 'custom', path: [name], message: 'must not be a secret: browsers see these' });
  });

/** What `config_data` holds, by protocol. */
const schemas = {
  oauth: z.strictObject({
    client_id: plainText(2000).min(1),
    client_secret_ref: SecretReference.optional(),
    authorize_url: UpstreamUrl,
    token_url: UpstreamUrl,
    revoke_url: UpstreamUrl.optional(),
    response_format: z.enum(['standard', 'form']).optional(),
    extra_auth_params: ExtraAuthParams.optional(),
  }),
  api_key: z.strictObject({
    header_name: z
      .string()
      .max(128)
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be the name of a header field (RFC 9110 §5.1)')
      .optional(),
    header_prefix: plainText(64).optional(),
  }),
  service_account: z.strictObject({
    client_secret_ref: SecretReference.optional(), // or the secret itself
    issuer: plainText(255).min(1),
    token_url: UpstreamUrl,
    algorithm: z.enum(['RS256', 'ES256']).optional(),
    ttl_seconds: z.int().min(30).max(3600).optional(),
  }),
} as const satisfies Record<ProviderProtocol, z.ZodType>;

export const configDataDescription = [
  'What the protocol needs.',
  'oauth: client_id, client_secret_ref, authorize_url, token_url, revoke_url, response_format (standard or form), extra_auth_params.',
  'api_key: header_name, header_prefix.',
  'service_account: client_secret_ref (the private key as PEM), issuer, token_url, algorithm (RS256 or ES256), ttl_seconds.',
  'client_secret_ref names an environment variable of the server. Where the server encrypts (data_encryption), client_secret may be given instead: it is kept encrypted and never shown; left out it stays, null forgets it.',
].join(' ');

/** Names `client_secret_ref` had before. */
const oldReferences = ['client_secret_env', 'sa_key_env'] as const;

export type ConfigProblem = { path: (string | number)[]; message: string };

export type SecretOptions = {
  /** Whether this server can encrypt a secret that is written out. */
  keepsSecrets?: boolean;
  /** Whether it keeps one of this provider already. */
  hasSecret?: boolean;
};

export type ReadConfig =
  | {
      data: Record<string, unknown>;
      /** To be kept from now on, encrypted and apart from `data`; null is to be forgotten, absent left as it is. */
      secret?: string | null;
      problems: [];
    }
  | { data: undefined; problems: ConfigProblem[] };

/**
 * `config_data` in its present spelling, or everything that is wrong with it. No message repeats a value: it may be a
 * secret somebody put in the wrong place.
 */
export const readConfigData = (
  protocol: ProviderProtocol,
  given: Record<string, unknown>,
  { keepsSecrets = false, hasSecret = false }: SecretOptions = {},
): ReadConfig => {
  const problems: ConfigProblem[] = [];
  const data = { ...given };
  for (const name of oldReferences) {
    if (data[name] === undefined) continue;
    if (data.client_secret_ref !== undefined && data.client_secret_ref !== data[name])
      problems.push({ path: [name], message: 'is the old name of client_secret_ref, which says something else' });
    data.client_secret_ref ??= data[name];
    delete data[name];
  }
  const { client_secret: written } = data;
  delete data.client_secret;
  const wrong = written === undefined ? undefined : secretProblem(protocol, data, written, keepsSecrets);
  if (wrong !== undefined) problems.push({ path: ['client_secret'], message: wrong });
  for (const [name, value] of Object.entries(data)) {
    if (!isSecret(name, value)) continue;
    problems.push({
      path: [name],
      message: keepsSecrets
        ? 'must not be written here; a secret belongs into client_secret, or into the environment variable that client_secret_ref names'
        : notKept,
    });
    delete data[name];
  }
  const parsed = schemas[protocol].safeParse(data);
  const named = problems.map(({ path }) => path[0]);
  for (const { path, message } of parsed.error?.issues ?? [])
    if (path[0] === undefined || !named.includes(toName(path[0]))) problems.push({ path: path.map(toName), message });
  // A reference takes the place of what was kept.
  const isForgotten =
    hasSecret && (written === null || (written === undefined && data.client_secret_ref !== undefined));
  const secret = typeof written === 'string' ? written : isForgotten ? null : undefined;
  const hasKey = data.client_secret_ref !== undefined || typeof secret === 'string' || (hasSecret && !isForgotten);
  if (protocol === 'service_account' && !hasKey && problems.length === 0)
    problems.push({ path: ['client_secret_ref'], message: 'is required: it names the private key' });
  return parsed.success && problems.length === 0
    ? { data: parsed.data, ...(secret === undefined ? {} : { secret }), problems: [] }
    : { data: undefined, problems };
};

const notKept =
  'must not be written here: this server does not encrypt it; name an environment variable in client_secret_ref';
const longestSecret = 16 * 1024;

/** What is wrong with a secret that is written out. */
const secretProblem = (
  protocol: ProviderProtocol,
  { client_secret_ref: reference }: Record<string, unknown>,
  written: unknown,
  keepsSecrets: boolean,
): string | undefined => {
  if (written === null) return undefined;
  if (!keepsSecrets) return notKept;
  if (protocol === 'api_key') return 'is not for api_key: its users bring their own';
  if (reference !== undefined) return 'must not be given beside client_secret_ref';
  if (typeof written !== 'string' || written.trim() === '') return 'must be text that is not empty';
  if (written.length > longestSecret) return `must have at most ${longestSecret} characters`;
  if (protocol === 'service_account' && !/^-----BEGIN (RSA |EC )?PRIVATE KEY-----/.test(written.trim()))
    return 'must be a private key as PEM';
  return undefined;
};

/** By its name, or because it reads like a key whatever it is called. */
const isSecret = (name: string, value: unknown): boolean =>
  (typeof value === 'string' && value !== '' && (holdsSecret.test(name) || value.includes('-----BEGIN'))) ||
  (typeof value === 'object' && value !== null && JSON.stringify(value).includes('-----BEGIN'));

const toName = (step: PropertyKey): string | number => (typeof step === 'number' ? step : String(step));
