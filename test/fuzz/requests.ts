/** Request number n of a seed: a good request, spoiled in a few ways, as the bytes of HTTP/1.1. */
import { type Endpoint, endpointsOf, type Real } from './endpoints.ts';
import { type Random, seeded } from './random.ts';
import { headerCanary, hostile, json, jwt, spoiled } from './values.ts';

export type FuzzRequest = {
  bytes: Buffer;
  /** Where it was meant to go, for the report. */
  endpoint: string;
  /** The bytes themselves were damaged, so the server may hang up, or wait for more. */
  damaged: boolean;
};

type Fields = [name: string, value: string][];
type Body = { type: string; bytes: Buffer } | undefined;

const formType = 'application/x-www-form-urlencoded';

export const requestOf = (real: Real, seed: number, index: number): FuzzRequest => {
  const random = seeded(seed, index);
  const endpoint = withRare(
    random,
    random.pick(endpointsOf(real).flatMap((one) => Array.from({ length: one.weight ?? 1 }, () => one))),
  );
  const method = random.chance(0.06)
    ? random.pick(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'])
    : random.pick(endpoint.methods);
  const hasBody = method !== 'GET' && method !== 'HEAD';
  const body = hasBody || random.chance(0.03) ? bodyOf(random, real, endpoint) : undefined;
  const target = targetOf(random, endpoint, hasBody ? undefined : endpoint.query);
  const headers = headersOf(random, real, endpoint, body);
  const head = [`${method} ${target} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`), '', ''];
  const bytes = Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), body?.bytes ?? Buffer.alloc(0)]);
  const damaged = random.chance(0.08);
  return { bytes: damaged ? damage(random, bytes) : bytes, endpoint: `${method} ${endpoint.path}`, damaged };
};

const withRare = (random: Random, endpoint: Endpoint): Endpoint => {
  const rare = Object.fromEntries(Object.entries(endpoint.rare ?? {}).filter(() => random.chance(0.08)));
  const { query, form, json } = endpoint;
  return {
    ...endpoint,
    ...(query && { query: { ...query, ...(rare as Record<string, string>) } }),
    ...(form && { form: { ...form, ...(rare as Record<string, string>) } }),
    ...(json && { json: { ...json, ...rare } }),
  };
};

/** Drops, doubles, replaces, renames and adds, in one request out of a few not at all. */
const spoilFields = (random: Random, good: Readonly<Record<string, string>>): Fields => {
  let fields: Fields = Object.entries(good);
  for (let times = random.below(5); times > 0; times -= 1) {
    const at = random.below(fields.length);
    const [name = 'x', value = ''] = fields[at] ?? [];
    const kind = random.below(10);
    if (kind < 4) fields[at] = [name, random.chance(0.3) ? spoiled(random, value) : hostile(random)];
    else if (kind < 6) fields = fields.filter((_, index) => index !== at);
    else if (kind === 6) fields.push([name, random.chance(0.5) ? value : hostile(random)]);
    else if (kind === 7) fields.push([hostile(random), hostile(random)]);
    else if (kind === 8) fields[at] = [random.pick([`${name}[]`, `${name}[a]`, name.toUpperCase(), ` ${name}`]), value];
    else fields[at] = [name, random.chance(0.5) ? jwt(random) : ''];
  }
  if (random.chance(0.01))
    for (let more = random.pick([200, 3_000, 9_000]); more > 0; more -= 1) fields.push([`p${more % 50}`, 'x']);
  return fields;
};

const encodeForm = (random: Random, fields: Fields): string => {
  // Unpaired surrogates and stray percent signs go out as they are now and then.
  const encode = random.chance(0.9)
    ? (text: string) => encodeURIComponent(text.toWellFormed())
    : (text: string) => text;
  return fields.map(([name, value]) => `${encode(name)}=${encode(value)}`).join(random.chance(0.95) ? '&' : ';');
};

const identityOf = (random: Random, real: Real): Record<string, string> =>
  random.pick<Record<string, string>>([
    { client_id: real.openClient },
    { client_id: real.clientId, client_secret: real.clientSecret },
    { client_id: real.clientId },
    { client_id: 'https://client.example/client.json' },
    {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: jwt(random),
    },
    {},
  ]);

const grantTypes = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
];

const bodyOf = (random: Random, real: Real, endpoint: Endpoint): Body => {
  const identity = endpoint.path.startsWith('/oauth/') ? identityOf(random, real) : {};
  const grant = endpoint.path === '/oauth/token' ? { grant_type: random.pick(grantTypes) } : {};
  const kind = random.below(20);
  if (kind === 0) return { type: endpoint.json ? 'application/json' : formType, bytes: oddBytes(random) };
  if (kind === 1) return { type: 'application/json', bytes: Buffer.from(JSON.stringify(json(random))) };
  if (endpoint.json) return { type: 'application/json', bytes: Buffer.from(spoilJson(random, endpoint.json)) };
  const fields = spoilFields(random, { ...endpoint.form, ...identity, ...grant });
  return { type: formType, bytes: Buffer.from(encodeForm(random, fields), random.chance(0.95) ? 'utf8' : 'utf16le') };
};

const spoilJson = (random: Random, good: Readonly<Record<string, unknown>>): string => {
  const members: [string, unknown][] = Object.entries(good);
  for (let times = random.below(5); times > 0; times -= 1) {
    const at = random.below(members.length);
    const [name = 'x', value] = members[at] ?? [];
    const kind = random.below(6);
    if (kind < 3) members[at] = [name, Array.isArray(value) && random.chance(0.5) ? [json(random)] : json(random)];
    else if (kind === 3) members.splice(at, 1);
    else if (kind === 4) members.push([hostile(random), json(random)]);
    else members.push([name, value]);
  }
  const text = `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`;
  return random.chance(0.9) ? text : spoiled(random, text);
};

const oddBytes = (random: Random): Buffer =>
  random.pick([
    () => random.bytes(random.below(400)),
    () => Buffer.from('['.repeat(random.pick([10, 5_000, 200_000]))),
    () => Buffer.from('{"a":'.repeat(random.pick([10, 5_000]))),
    () => Buffer.from('&'.repeat(random.pick([10, 60_000]))),
    () => Buffer.from('a=%&=%zz&%E0%A4=1&=&&=a'),
    () => Buffer.alloc(random.pick([70_000, 1_200_000]), 'a'),
    () => Buffer.from('H4sIAAAAAAAA', 'base64'),
    () => Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]),
    () => Buffer.from('{"a":1,"a":2,"__proto__":{"b":1},"constructor":{"prototype":{}}}'),
    () => Buffer.from('"\\ud800"'),
  ])();

const targetOf = (random: Random, endpoint: Endpoint, query: Endpoint['query']): string => {
  const odd = random.chance(0.06);
  const path = odd
    ? random.pick([
        `${endpoint.path}/`,
        `/${endpoint.path}`,
        endpoint.path.toUpperCase(),
        `${endpoint.path}%00`,
        `${endpoint.path}/${encodeURIComponent(hostile(random).toWellFormed()).slice(0, 3_000)}`,
        `/.well-known/${encodeURIComponent(hostile(random).toWellFormed()).slice(0, 300)}`,
        `/oauth/register/${encodeURIComponent(hostile(random).toWellFormed()).slice(0, 300)}`,
        `http://evil.example${endpoint.path}`,
        `/%`,
        `/..%2f..%2f${endpoint.path}`,
        '*',
      ])
    : endpoint.path;
  if (!query && random.chance(0.9)) return path;
  return `${path}?${encodeForm(random, spoilFields(random, query ?? {})).replace(/\s|\p{Cc}/gu, '+')}`;
};

const headersOf = (random: Random, real: Real, endpoint: Endpoint, body: Body): Fields => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  const headers: Fields = [
    ['host', random.chance(0.97) ? 'localhost' : latin1(hostile(random))],
    ['connection', 'close'],
    // Everybody else: some limits are for one address, and no setting lifts them.
    ['x-forwarded-for', `198.51.${random.below(256)}.${random.below(256)}`],
  ];
  if (body) {
    headers.push(['content-length', String(body.bytes.length)]);
    const types = [
      'text/plain',
      'multipart/form-data; boundary=x',
      'application/json; charset=x',
      `${formType};charset=utf-16`,
      'x',
      '',
    ];
    headers.push([
      'content-type',
      random.chance(0.9) ? body.type : random.pick([...types, formType, 'application/json']),
    ]);
  }
  if (random.chance(0.8) && !endpoint.path.startsWith('/oauth/t'))
    headers.push(['cookie', random.chance(0.8) ? real.cookie : latin1(spoiled(random, real.cookie))]);
  if (endpoint.bearer && random.chance(0.8))
    headers.push(['authorization', `Bearer ${random.chance(0.7) ? endpoint.bearer : latin1(hostile(random))}`]);
  const optional: [number, () => [string, string]][] = [
    [0.15, () => ['authorization', basic(`${real.clientId}:${real.clientSecret}`)]],
    [0.05, () => ['authorization', basic(hostile(random))]],
    [
      0.05,
      () => ['authorization', latin1(`${random.pick(['Basic', 'Bearer', 'DPoP', 'basic', ''])} ${hostile(random)}`)],
    ],
    [0.15, () => ['dpop', latin1(random.chance(0.8) ? jwt(random) : hostile(random))]],
    [0.03, () => ['dpop', jwt(random)]],
    [0.1, () => ['x-forwarded-for', latin1(random.pick([hostile(random), '1,2,3', '[::1]:80', '::ffff:10.0.0.1']))]],
    [
      0.1,
      () => [
        random.pick(['x-forwarded-proto', 'x-forwarded-host', 'forwarded', 'x-request-id']),
        latin1(hostile(random)),
      ],
    ],
    [
      0.3,
      () => [
        'accept',
        random.pick(['text/html', '*/*', 'application/token-introspection+jwt', latin1(hostile(random))]),
      ],
    ],
    [0.1, () => ['origin', random.pick(['null', 'https://app.example.com', latin1(hostile(random))])]],
    [0.1, () => ['user-agent', latin1(hostile(random))]],
    [0.05, () => ['accept-language', latin1(hostile(random))]],
    [0.03, () => ['content-encoding', random.pick(['gzip', 'identity', 'x'])]],
    [0.03, () => ['expect', random.pick(['100-continue', 'x'])]],
    [0.02, () => [headerCanary.toUpperCase(), latin1(hostile(random))]],
    [0.02, () => ['x-long', 'a'.repeat(random.pick([1_000, 17_000, 70_000]))]],
    [0.02, () => ['access-control-request-method', 'POST']],
    [0.02, () => ['if-none-match', latin1(hostile(random))]],
  ];
  for (const [probability, make] of optional) if (random.chance(probability)) headers.push(make());
  return headers;
};

/** A header value the parser lets through: its own syntax is for damaged bytes to break. */
const latin1 = (text: string): string =>
  [...text.slice(0, 10_000)].map((character) => (/[\t\x20-\x7e\x80-\xff]/.test(character) ? character : '?')).join('');

/** Breaks the framing: other versions, lengths and line ends, bytes lost, added or flipped. */
const damage = (random: Random, bytes: Buffer): Buffer => {
  const text = bytes.subarray(0, 20_000).toString('latin1');
  const at = random.below(text.length);
  const changed = random.pick([
    () => text.slice(0, at),
    () => text.slice(0, at) + random.bytes(random.below(8)).toString('latin1') + text.slice(at),
    () => text.slice(0, at) + text.slice(at + random.below(40)),
    () => text.replace('HTTP/1.1', random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', 'HTTP/', 'http/1.1', ''])),
    () => text.replaceAll('\r\n', '\n'),
    () => text.replace('connection: close', 'transfer-encoding: chunked'),
    () => text.replace('connection: close', 'content-length: 3'),
    () => text.replace('connection: close', 'upgrade: websocket\r\nconnection: upgrade'),
    () => text.replace('connection: close', 'transfer-encoding: gzip, chunked\r\ncontent-length: 1'),
    () => text.replace('host: localhost', `host: a\r\nhost: b`),
    () => text.replace('host: localhost\r\n', ''),
    () => `\r\n\r\n${text}`,
    () => text.replace(' /', '\t/'),
    () => text.replace('connection: close', `a${'b'.repeat(20_000)}: c`),
    () => text.replace('connection: close', Array.from({ length: 3_000 }, (_, n) => `h${n}: x`).join('\r\n')),
    () => `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
    () => `CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n`,
    () => `\x16\x03\x01${text}`,
  ])();
  return Buffer.from(changed, 'latin1');
};
