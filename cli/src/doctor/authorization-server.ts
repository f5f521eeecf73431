/** What every client needs of an authorization server's documents, whoever wrote the server. */
import { type Answer, type Ask, isSilence } from './ask.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { serverMetadataUrls } from './well-known.ts';

const side = 'authorization server';

export type ServerMetadata = Record<string, unknown> & { issuer: string };
export type ServerLook = { findings: Finding[]; metadata: ServerMetadata | undefined };

/** Reads and checks the metadata of an issuer (RFC 8414), its keys, and its clock. */
export const lookAtIssuer = async (issuer: string, ask: Ask, now: () => Date): Promise<ServerLook> => {
  const found = await findMetadata(issuer, ask);
  if (!found.document) return { findings: found.findings, metadata: undefined };
  const { document, answer, url } = found;
  const findings = [
    ...found.findings,
    ok(side, `metadata is at ${url}`),
    ...checkIssuer(document, issuer),
    ...checkMembers(document),
    ...checkClock(answer, now()),
    ...(await checkKeys(document, ask)),
  ];
  return { findings, metadata: document.issuer === issuer ? (document as ServerMetadata) : undefined };
};

type Found = {
  findings: Finding[];
  url: string;
  answer: Answer;
  document: Record<string, unknown> | undefined;
};

/** The first of the places that has a document. One that answers with a page is worth a word: clients choke on it. */
const findMetadata = async (
  issuer: string,
  ask: Ask,
): Promise<Found | { findings: Finding[]; document: undefined }> => {
  const findings: Finding[] = [];
  for (const url of serverMetadataUrls(issuer)) {
    const answer = await ask({ url, headers: { accept: 'application/json' } });
    if (isSilence(answer)) {
      findings.push(problem('network', `${url}: ${answer.silence}`, 'check the address, DNS, TLS and firewalls'));
      return { findings, document: undefined };
    }
    if (answer.status === 200 && answer.json) return { findings, url, answer, document: answer.json };
    findings.push(...notADocument(url, answer, side));
  }
  findings.push(
    problem(side, `${issuer} has no metadata in any of the places of RFC 8414`, 'is this the issuer, byte for byte?'),
  );
  return { findings, document: undefined };
};

/** What stands where a document should be. Nothing, said as 404, is fine: the next place is asked. */
export const notADocument = (url: string, { status, type }: Answer, whose: Finding['side']): Finding[] => {
  if (status === 404) return [];
  if (status === 403 && type === 'text/html')
    return [
      problem(
        'network',
        `${url}: 403 with a web page, as a firewall or a bot filter answers`,
        'let requests below /.well-known/ pass',
      ),
    ];
  if (status >= 300 && status < 400)
    return [problem(whose, `${url}: a redirect (${status}), which clients do not follow`, 'answer there yourself')];
  if (status === 200)
    return [
      problem(
        whose,
        `${url}: 200 with ${type || 'no media type'}, which is no JSON document`,
        'answer 404 below /.well-known/ where there is nothing; a catch-all of a web app must not answer there',
      ),
    ];
  return [problem(whose, `${url}: ${status}`, 'answer with the document, or with 404')];
};

const checkIssuer = (document: Record<string, unknown>, issuer: string): Finding[] =>
  document.issuer === issuer
    ? [ok(side, `issuer is ${issuer}`)]
    : [
        problem(
          side,
          `the document says issuer ${JSON.stringify(document.issuer)}, but it was asked for as ${JSON.stringify(issuer)}`,
          'clients compare them byte for byte, a slash at the end included (RFC 8414 §3.3)',
        ),
      ];

const checkMembers = (document: Record<string, unknown>): Finding[] => {
  const has = (member: string, value: string): boolean =>
    Array.isArray(document[member]) && (document[member] as unknown[]).includes(value);
  const findings: Finding[] = [];
  const require = (holds: boolean, detail: string, remedy: string) => {
    if (!holds) findings.push(problem(side, detail, remedy));
  };
  for (const endpoint of ['authorization_endpoint', 'token_endpoint'])
    require(isEndpoint(document[endpoint]), `${endpoint} is missing or no absolute URL`, 'advertise it (RFC 8414 §2)');
  require(has('response_types_supported', 'code'), 'response_types_supported has no code', 'advertise it');
  require(has(
    'code_challenge_methods_supported',
    'S256',
  ), 'code_challenge_methods_supported has no S256', 'MCP clients refuse a server that does not advertise PKCE');
  const grants = document.grant_types_supported;
  if (grants !== undefined && !has('grant_types_supported', 'refresh_token'))
    findings.push(
      warning(side, 'grant_types_supported has no refresh_token', 'people will have to sign in again and again'),
    );
  const empty = Object.entries(document).filter(
    ([, value]) => value === null || (Array.isArray(value) && value.length === 0),
  );
  if (empty.length > 0)
    findings.push(
      warning(
        side,
        `empty members: ${empty.map(([name]) => name).join(', ')}`,
        'leave out what is empty: strict clients refuse null and []',
      ),
    );
  if (findings.length === 0) findings.push(ok(side, 'endpoints, PKCE and response types are what clients need'));
  return findings;
};

const isEndpoint = (value: unknown): boolean =>
  typeof value === 'string' && /^https?:$/.test(URL.parse(value)?.protocol ?? '');

const checkKeys = async (document: Record<string, unknown>, ask: Ask): Promise<Finding[]> => {
  const { jwks_uri: url } = document;
  if (typeof url !== 'string')
    return [warning(side, 'there is no jwks_uri', 'MCP servers cannot check signed tokens without keys')];
  const answer = await ask({ url, headers: { accept: 'application/json' } });
  if (isSilence(answer)) return [problem(side, `${url}: ${answer.silence}`, 'publish the keys there')];
  const keys = answer.json?.keys;
  if (answer.status !== 200 || !Array.isArray(keys) || keys.length === 0)
    return [problem(side, `${url}: ${answer.status}, and no keys`, 'publish a JWK set (RFC 7517 §5)')];
  const leaked = keys.some((key: Record<string, unknown>) => ['d', 'p', 'q', 'k'].some((member) => member in key));
  if (leaked) return [problem(side, `${url} shows a PRIVATE key`, 'take it down and rotate at once')];
  return [ok(side, `${keys.length} keys at ${url}`)];
};

const mostSkewSeconds = 30;

/** The `Date` header is good to a second. Tokens carry times, and a minute is what verifiers forgive. */
const checkClock = ({ headers }: Answer, now: Date): Finding[] => {
  const theirs = Date.parse(headers.get('date') ?? '');
  if (Number.isNaN(theirs)) return [];
  const skew = Math.round(Math.abs(theirs - now.getTime()) / 1000);
  return skew <= mostSkewSeconds
    ? [ok(side, 'its clock agrees with the one here')]
    : [problem(side, `its clock and the one here differ by ${skew} s`, 'synchronise both (NTP)')];
};
