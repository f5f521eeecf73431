import { createAsk } from './ask.ts';
import { lookAtIssuer } from './authorization-server.ts';
import { replayClients } from './clients.ts';
import { type Finding, ok, problem } from './finding.ts';
import { lookAtMcpServer } from './mcp-server.ts';

/** Looks at an MCP server, at the authorization server it names or the one that is given, and tries as each client would. */
export const lookAtNetwork = async (
  { issuer, mcpServer }: { issuer: string | undefined; mcpServer: string | undefined },
  tell: (findings: readonly Finding[]) => void,
): Promise<void> => {
  if (issuer === undefined && mcpServer === undefined) return;
  const ask = createAsk();
  let unreachable = false;
  const note = (findings: readonly Finding[]): void => {
    unreachable ||= findings.some(({ side, status }) => side === 'network' && status === 'problem');
    tell(findings);
  };
  const issuers = issuer === undefined ? [] : [issuer];
  if (mcpServer !== undefined) {
    const look = await lookAtMcpServer(mcpServer, ask);
    note(look.findings);
    if (issuer === undefined) issuers.push(...look.issuers);
    else if (look.issuers.length > 0) tell([namesIssuer(look.issuers, issuer)]);
  }
  for (const each of issuers) note((await lookAtIssuer(each, ask, () => new Date())).findings);
  if (!unreachable) tell(await replayClients({ mcpServer, issuer }, ask));
};

const namesIssuer = (named: readonly string[], issuer: string): Finding =>
  named.includes(issuer)
    ? ok('MCP server', `it names the issuer ${issuer}`)
    : problem(
        'MCP server',
        `it names ${named.join(', ')}, not ${issuer}`,
        'put the issuer into authorization_servers, byte for byte',
      );
