/**
 * The first steps of the clients people use, as they make them: the knock, the metadata of the resource, that of the
 * authorization server, and a way to introduce themselves. Nothing is registered and nobody is signed in.
 */
import { type Answer, type Ask, isSilence, type Silence } from './ask.ts';
import { type Finding, ok, problem, type Side } from './finding.ts';
import { initialize } from './mcp-server.ts';
import { challengeParameter, resourceMetadataUrls, serverMetadataUrls } from './well-known.ts';

type Client = {
  name: string;
  /** It runs in a page of this origin, so the browser asks whether it may (CORS). */
  origin?: string;
  /** It can introduce itself by the URL of a metadata document. */
  documents: boolean;
};

export const clients: readonly Client[] = [
  { name: 'Claude', documents: true },
  { name: 'ChatGPT', documents: true },
  { name: 'Cursor', documents: false },
  { name: 'VS Code', documents: true },
  { name: 'MCP Inspector', origin: 'http://localhost:6274', documents: false },
];

/** Where a client stops, and whose doing it is. */
class Stop extends Error {
  readonly side: Side;
  constructor(side: Side, message: string) {
    super(message);
    this.side = side;
  }
}

/** Either of the two may be missing: an issuer alone is asked as if an MCP server had named it. */
export type Target = { mcpServer: string | undefined; issuer: string | undefined };

/** One finding for all clients that come equally far. */
export const replayClients = async (target: Target, ask: Ask): Promise<Finding[]> => {
  const ends = new Map<string, { names: string[]; finding: (names: string) => Finding }>();
  for (const client of clients) {
    const end = await replay(client, target, ask).then(
      (how) => ({
        key: how,
        finding: (names: string) => ok('authorization server', `${names}: the sign-in page, ${how}`),
      }),
      (error: unknown) => {
        if (!(error instanceof Stop)) throw error;
        const { side, message } = error;
        return { key: message, finding: (names: string) => problem(side, `${names}: ${message}`, 'here they stop') };
      },
    );
    const same = ends.get(end.key);
    if (same) same.names.push(client.name);
    else ends.set(end.key, { names: [client.name], finding: end.finding });
  }
  return [...ends.values()].map(({ names, finding }) => finding(names.join(', ')));
};

const replay = async (client: Client, target: Target, ask: Ask): Promise<string> => {
  const issuer = target.mcpServer === undefined ? target.issuer : await knock(client, target.mcpServer, ask);
  if (issuer === undefined) throw new Stop('MCP server', 'finds no authorization server');
  const metadata = await readServer(client, issuer, ask);
  return introduce(client, metadata, ask);
};

const headersOf = ({ origin }: Client): Record<string, string> => ({
  'mcp-protocol-version': '2025-11-25',
  ...(origin === undefined ? {} : { origin }),
});

/** From the first message to the issuer. */
const knock = async (client: Client, url: string, ask: Ask): Promise<string> => {
  const answer = heard(await ask(initialize(url, headersOf(client))), url);
  requireCors(client, answer, url, 'MCP server');
  if (answer.status !== 401)
    throw new Stop('MCP server', `${url} answers ${answer.status}, not 401, so it never starts`);
  const challenge = answer.headers.get('www-authenticate') ?? '';
  if (client.origin !== undefined && !listed(answer.headers.get('access-control-expose-headers'), 'www-authenticate'))
    throw new Stop('MCP server', `${url} does not expose WWW-Authenticate to pages (Access-Control-Expose-Headers)`);
  const named = challengeParameter(challenge, 'resource_metadata');
  for (const place of named === undefined ? resourceMetadataUrls(url) : [named]) {
    const found = await readDocument(client, place, ask, 'MCP server');
    const [issuer] = Array.isArray(found?.authorization_servers) ? found.authorization_servers : [];
    if (typeof issuer === 'string' && URL.canParse(issuer)) return issuer;
    if (found) throw new Stop('MCP server', `${place} names no authorization server`);
  }
  throw new Stop('MCP server', 'finds no protected resource metadata');
};

const readServer = async (client: Client, issuer: string, ask: Ask): Promise<Record<string, unknown>> => {
  for (const place of serverMetadataUrls(issuer)) {
    const found = await readDocument(client, place, ask, 'authorization server');
    if (!found) continue;
    if (found.issuer !== issuer)
      throw new Stop('authorization server', `${place} says issuer ${JSON.stringify(found.issuer)}, not ${issuer}`);
    if (!includes(found.code_challenge_methods_supported, 'S256'))
      throw new Stop('authorization server', `${place} does not advertise PKCE with S256`);
    return found;
  }
  throw new Stop('authorization server', `finds no metadata of ${issuer}`);
};

/** How it can become known there, and whether the endpoints it needs then would answer it. */
const introduce = async (client: Client, metadata: Record<string, unknown>, ask: Ask): Promise<string> => {
  const endpoints = ['token_endpoint'];
  const byDocument =
    client.documents &&
    metadata.client_id_metadata_document_supported === true &&
    includes(metadata.token_endpoint_auth_methods_supported, 'none');
  if (!byDocument) {
    if (typeof metadata.registration_endpoint !== 'string')
      throw new Stop(
        'authorization server',
        `cannot introduce itself: no registration_endpoint${client.documents ? ', and no metadata documents with auth method none' : ''}; an operator has to create the client`,
      );
    endpoints.push('registration_endpoint');
  }
  for (const endpoint of endpoints) await requirePreflight(client, String(metadata[endpoint]), ask);
  const url = String(metadata.authorization_endpoint);
  const page = heard(await ask({ url }), url);
  if (page.status === 404 || page.status >= 500)
    throw new Stop('authorization server', `authorization_endpoint ${url} answers ${page.status}`);
  return byDocument ? 'known by its metadata document' : 'after it has registered itself';
};

const readDocument = async (
  client: Client,
  url: string,
  ask: Ask,
  side: Side,
): Promise<Record<string, unknown> | undefined> => {
  if (!URL.canParse(url)) throw new Stop(side, `${url} is no address`);
  const answer = heard(await ask({ url, headers: { accept: 'application/json', ...headersOf(client) } }), url);
  if (answer.status >= 400 && answer.status < 500) return undefined; // the next place is asked
  if (answer.status !== 200) throw new Stop(side, `${url} answers ${answer.status}`);
  if (!answer.json) throw new Stop(side, `${url} answers with ${answer.type || 'something'} that is no JSON`);
  requireCors(client, answer, url, side);
  return answer.json;
};

const heard = (answer: Answer | Silence, url: string): Answer => {
  if (isSilence(answer)) throw new Stop('network', `${url}: ${answer.silence}`);
  return answer;
};

const requireCors = ({ origin }: Client, { headers }: Answer, url: string, side: Side): void => {
  if (origin === undefined) return;
  const allowed = headers.get('access-control-allow-origin');
  if (allowed !== '*' && allowed !== origin)
    throw new Stop(side, `${url} may not be read by pages of ${origin} (Access-Control-Allow-Origin)`);
};

const requirePreflight = async ({ origin }: Client, url: string, ask: Ask): Promise<void> => {
  if (origin === undefined) return;
  const headers = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type,mcp-protocol-version',
  };
  const answer = heard(await ask({ method: 'OPTIONS', url, headers }), url);
  requireCors({ name: '', origin, documents: false }, answer, url, 'authorization server');
  const allowed = answer.headers.get('access-control-allow-headers');
  for (const name of ['content-type', 'mcp-protocol-version'])
    if (allowed !== '*' && !listed(allowed, name))
      throw new Stop('authorization server', `${url} does not let pages send the header ${name}`);
};

const includes = (list: unknown, value: string): boolean => Array.isArray(list) && list.includes(value);

const listed = (header: string | null, name: string): boolean =>
  (header ?? '').split(',').some((item) => ['*', name].includes(item.trim().toLowerCase()));
