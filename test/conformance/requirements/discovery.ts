import { standardDocument } from './document.ts';

/** How a client finds us and what we can do. */
export const discoveryDocuments = [
  standardDocument(
    'R8414',
    'RFC 8414, authorization server metadata',
    'https://www.rfc-editor.org/rfc/rfc8414',
    `
01 | M | MUST | 3.1, 3.2 | The document is 200 and JSON at the well-known URL.
02 | M | MUST | 2, 3.3 | \`issuer\` is a URL without query or fragment, the one the client used.
03 | M | MUST | 2 | Authorization endpoint, token endpoint and response types are there.
04 | M | MUST | 3, 3.1 | The well-known part goes between host and path.
05 | M | MUST | 3.2 | Empty members are left out.
06 | M | MUST | 2 | Signing algorithms accompany authentication by JWT, and \`none\` is not among them.
07 | - | MUST | 2 | The same for revocation and introspection.
08 | M | MUST | 2 | \`grant_types_supported\` tells the truth.
09 | M | MUST | 2 | The challenge methods are there.
10 | M | MUST | 2 | The keys are public, and say what they are for.
11 | - | MUST | 2.1 | Signed metadata wins over plain.
12 | M | SHOULD | 2 | What is advertised works, and what works is advertised.
13 | M | SHOULD | 3 | Browsers may read metadata and keys, with the MCP version header.
`,
  ),
  standardDocument(
    'R9728',
    'RFC 9728, protected resource metadata',
    'https://www.rfc-editor.org/rfc/rfc9728',
    `
01 | M | MUST | 3.3 | \`resource\` is the identifier the URL was made from.
02 | M | MUST | 3.1 | The well-known part goes between host and path.
03 | M | MUST | 3.2 | The document is 200 and JSON, without empty members.
04 | M | SHOULD | 7.4 | Tokens are for the resource they were asked for.
05 | - | MAY | 4 | The server's metadata may list its resources.
06 | M | MUST | 5.1 | A 401 names the resource's metadata.
`,
  ),
] as const;
