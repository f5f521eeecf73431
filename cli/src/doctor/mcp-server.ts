/** What an MCP server has to say to somebody without a token (MCP authorization, RFC 9728). */
import { type Answer, type Ask, isSilence, type Question } from './ask.ts';
import { notADocument } from './authorization-server.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { challengeParameter, resourceMetadataUrls } from './well-known.ts';

const side = 'MCP server';

export type McpLook = {
  findings: Finding[];
  /** Issuers its metadata names, in its order. */
  issuers: string[];
};

/** The first message of every client, without a token. */
export const initialize = (url: string, headers: Record<string, string> = {}): Question => ({
  method: 'POST',
  url,
  headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
  body: JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'authserver-doctor', version: '1' },
    },
  }),
});

/** Knocks at an MCP server and follows its challenge to the metadata of the resource. */
export const lookAtMcpServer = async (url: string, ask: Ask): Promise<McpLook> => {
  const answer = await ask(initialize(url));
  if (isSilence(answer))
    return {
      findings: [problem('network', `${url}: ${answer.silence}`, 'check the address, DNS, TLS and firewalls')],
      issuers: [],
    };
  const challenge = answer.headers.get('www-authenticate') ?? '';
  const knocked = checkChallenge(url, answer, challenge);
  const metadata = await findResourceMetadata(url, challengeParameter(challenge, 'resource_metadata'), ask);
  return { findings: [...knocked, ...metadata.findings], issuers: metadata.issuers };
};

const checkChallenge = (url: string, { status, type }: Answer, challenge: string): Finding[] => {
  if (status === 401 && /^bearer\b/i.test(challenge))
    return [
      challengeParameter(challenge, 'resource_metadata') === undefined
        ? warning(
            side,
            `${url}: 401 without resource_metadata in WWW-Authenticate`,
            'name the metadata there (RFC 9728 §5.1); some clients look nowhere else',
          )
        : ok(side, `${url}: 401 with a challenge that names its metadata`),
    ];
  if (status === 401)
    return [
      problem(
        side,
        `${url}: 401 without WWW-Authenticate: Bearer`,
        'without a challenge the sign-in never starts in some clients (RFC 6750 §3)',
      ),
    ];
  if (status >= 200 && status < 300)
    return [problem(side, `${url}: ${status} without a token: it lets everybody in`, 'demand a token')];
  if (status === 403 && type === 'text/html')
    return [
      problem('network', `${url}: 403 with a web page, as a firewall or a bot filter answers`, 'let MCP clients pass'),
    ];
  if (status >= 300 && status < 400)
    return [problem(side, `${url}: a redirect (${status})`, 'give clients the address it leads to')];
  if (status === 404 || status === 405)
    return [problem(side, `${url}: ${status}; there is no MCP endpoint`, 'is the path right, such as /mcp?')];
  return [problem(side, `${url}: ${status} instead of 401`, 'answer 401 with a challenge when there is no token')];
};

const findResourceMetadata = async (url: string, named: string | undefined, ask: Ask): Promise<McpLook> => {
  const findings: Finding[] = [];
  const places = [...new Set([...(named === undefined ? [] : [named]), ...resourceMetadataUrls(url)])];
  for (const place of places) {
    if (!URL.canParse(place)) {
      findings.push(problem(side, `resource_metadata is no absolute URL: ${place}`, 'name the whole address'));
      continue;
    }
    const answer = await ask({ url: place, headers: { accept: 'application/json' } });
    if (isSilence(answer)) findings.push(problem('network', `${place}: ${answer.silence}`, 'make it reachable'));
    else if (answer.status === 200 && answer.json)
      return {
        findings: [...findings, ok(side, `metadata is at ${place}`), ...checkDocument(url, answer.json)],
        issuers: issuersOf(answer.json),
      };
    else {
      findings.push(...notADocument(place, answer, side));
      if (place === named && answer.status === 404)
        findings.push(problem(side, `its challenge names ${place}, which answers 404`, 'serve the document there'));
    }
  }
  findings.push(
    problem(side, 'there is no protected resource metadata', 'serve it (RFC 9728 §3), naming the authorization server'),
  );
  return { findings, issuers: [] };
};

const issuersOf = ({ authorization_servers: servers }: Record<string, unknown>): string[] =>
  Array.isArray(servers)
    ? servers.filter((server): server is string => typeof server === 'string' && URL.canParse(server))
    : [];

const checkDocument = (url: string, document: Record<string, unknown>): Finding[] => {
  const issuers = issuersOf(document);
  return [
    ...checkResource(url, document.resource),
    issuers.length > 0
      ? ok(side, `it sends people to ${issuers.join(', ')}`)
      : problem(side, 'authorization_servers is missing or empty', 'name the issuer there (RFC 9728 §2)'),
  ];
};

/** RFC 9728 §3.3 wants the very URL; clients also take one that this URL lies below. */
const checkResource = (url: string, resource: unknown): Finding[] => {
  if (typeof resource !== 'string' || !URL.canParse(resource))
    return [problem(side, 'resource is missing or no URL', `say "resource": ${JSON.stringify(url)}`)];
  if (resource === url) return [ok(side, `resource is ${resource}`)];
  const [asked, said] = [new URL(url), new URL(resource)];
  const below = asked.origin === said.origin && `${asked.pathname}/`.startsWith(`${said.pathname.replace(/\/$/, '')}/`);
  return below
    ? [warning(side, `resource is ${resource}, not ${url}`, 'strict clients want the very URL they connect to')]
    : [problem(side, `resource is ${resource}, which ${url} is not below`, 'clients refuse it (RFC 9728 §3.3)')];
};
