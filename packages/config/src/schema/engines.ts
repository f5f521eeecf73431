import { duration, flag, list, optionalText, secret, section, text } from '../leaf.ts';

const scheme =
  (...schemes: string[]) =>
  (value: string) =>
    schemes.includes(URL.parse(value)?.protocol.slice(0, -1) ?? '')
      ? undefined
      : `expected a URL that starts with ${schemes.map((name) => `${name}://`).join(' or ')}`;

const node = (value: string) =>
  /^(\[[0-9a-f:]+\]|[^:\s[\]]+):\d{1,5}$/i.test(value) ? undefined : 'expected host:port';

/** How token pods learn of changes, and the engines that carry them. */
export const changes = section({
  reconcile_interval: duration('5s', { min: '50ms', max: '1h' }).describe(
    'How often a pod reads the changes table, whatever the channels told it: the most it can be late.',
  ),
  retention: duration('24h', { min: '10m' }).describe(
    'How long rows of the changes table are kept. A pod that was away for longer forgets everything it has in memory.',
  ),
});

const credentials = (value: string) =>
  /BEGIN NATS USER JWT/.test(value) && /BEGIN USER NKEY SEED/.test(value)
    ? undefined
    : 'expected the contents of a `.creds` file: a user JWT and an NKEY seed';

const subject = (value: string) =>
  /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(value)
    ? undefined
    : 'expected names of letters, digits, "_" and "-", separated by dots';

export const nats = section({
  url: list([], scheme('nats', 'tls'))
    .describe(
      'NATS servers, any of which will do; they carry the change feed beside LISTEN/NOTIFY. `tls://` insists on TLS.',
    )
    .meta({ secret: true, kind: 'list, secret' }),
  subject_prefix: text('authserver', subject).describe(
    'First part of the subjects `<prefix>.changes.<kind>`, for deployments that share a server.',
  ),
  credentials: secret(credentials).describe('Contents of a NATS `.creds` file; usually given as `credentials_file`.'),
  user: optionalText().describe('User name.'),
  password: secret().describe('Password of `user`.'),
  token: secret().describe('Token, instead of a user.'),
  tls: section({
    ca_path: optionalText().describe('PEM file of the authorities to trust, instead of those of the system.'),
    cert_path: optionalText().describe('PEM file of the client certificate.'),
    key_path: optionalText().describe('PEM file of the client key.'),
  }),
});

export const redis = section({
  url: secret(scheme('redis', 'rediss')).describe(
    'Redis for replay checks and for limits that all pods share; `rediss://` is TLS. Without it PostgreSQL keeps what must be seen once, and each pod has limits of its own.',
  ),
  username: optionalText().describe('User name (ACL), instead of one in `url`.'),
  password: secret().describe('Password, instead of one in `url`.'),
  tls: section({
    ca_path: optionalText().describe('PEM file of the authorities to trust; needs `rediss://`.'),
    cert_path: optionalText().describe('PEM file of the client certificate.'),
    key_path: optionalText().describe('PEM file of the client key.'),
  }),
  cluster: flag(false).describe('`url` leads to a node of a Redis cluster, which tells where the others are.'),
  sentinel: section({
    nodes: list([], node).describe(
      'Sentinels, as `host:port`. They say where the primary is; the host in `url` is then not used.',
    ),
    primary: text('mymaster').describe('Name the sentinels know the primary by.'),
    password: secret().describe('Password of the sentinels, when they have one.'),
  }),
});
